#pragma once
#include "app/shell/autosaver.h"
#include "app/shell/notice.h"

namespace moe::app {

class ModelActions;

/// Offers the sessions of windows that ended without saying so, one after another, in a notice that blocks nothing.
class Recovery : public QObject {
    Q_OBJECT

public:
    Recovery(ModelActions& models, Autosaver& autosaver, Notice& notice, std::filesystem::path root, QObject* parent);

    /// Looks for them on another thread.
    void look();
    /// Those that nobody has decided about.
    std::size_t waiting() const { return leftovers_.size(); }

private:
    void offer();
    void restore();
    void askToDiscard();
    void discard();
    QString sentence() const;

    ModelActions& models_;
    Autosaver& autosaver_;
    Notice& notice_;
    std::filesystem::path root_;
    std::vector<Leftover> leftovers_;  // the first is offered
    bool restoring_ = false;
    std::unique_ptr<Background> background_;
};

}  // namespace moe::app
