#include "app/views/stage_view.h"
#include "app/views/view.h"

namespace moe::app {

namespace {

template <class V>
View* create(SessionController& session, QWidget* parent) {
    return new V(session, parent);
}

constexpr ViewInfo all_views[] = {
    {"stage", ViewArea::stage, &create<StageView>},
};

}  // namespace

std::span<const ViewInfo> views() {
    return all_views;
}

}  // namespace moe::app
