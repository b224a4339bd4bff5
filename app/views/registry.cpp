#include "app/views/accuracy_view.h"
#include "app/views/devices_view.h"
#include "app/views/expert_load_view.h"
#include "app/views/gate_lines_view.h"
#include "app/views/heatmap_view.h"
#include "app/views/inspector_view.h"
#include "app/views/loss_view.h"
#include "app/views/next_word_view.h"
#include "app/views/stage_view.h"
#include "app/views/time_strip_view.h"
#include "app/views/view.h"

namespace moe::app {

namespace {

template <class V>
View* create(SessionController& session, QWidget* parent) {
    return new V(session, parent);
}

constexpr ViewInfo all_views[] = {
    {"stage", ViewArea::stage, &create<StageView>},
    {"heatmap", ViewArea::below, &create<HeatmapView>},
    {"gate", ViewArea::below, &create<GateLinesView>},
    {"load", ViewArea::right, &create<ExpertLoadView>},
    {"loss", ViewArea::right, &create<LossView>},
    {"accuracy", ViewArea::right, &create<AccuracyView>},
    {"next_word", ViewArea::below, &create<NextWordView>},
    {"time", ViewArea::time, &create<TimeStripView>},
    {"inspector", ViewArea::right, &create<InspectorView>, false},
    {"devices", ViewArea::right, &create<DevicesView>, false},
};

}  // namespace

std::span<const ViewInfo> views() {
    return all_views;
}

}  // namespace moe::app
