#include "app/shell/undo_commands.h"

#include <QCoreApplication>

namespace moe::app {

RunCommand::RunCommand(Workbench& bench, const QString& text, KeptRun before)
    : QUndoCommand(text),
      bench_(bench),
      before_(std::make_shared<std::optional<KeptRun>>(std::move(before))),
      after_(std::make_shared<std::optional<KeptRun>>()) {}

void RunCommand::undo() {
    if (*before_) bench_.swap(**before_, after_);
}

void RunCommand::redo() {
    if (!first_ && *after_) bench_.swap(**after_, before_);
    first_ = false;  // it was done already when it was pushed
}

void RunCommand::addRuns(std::vector<const KeptRun*>& runs) const {
    for (const auto& kept : {before_, after_})
        if (*kept) runs.push_back(&**kept);
}

LiveCommand::LiveCommand(Workbench& bench, const char* key, QString before, QString after)
    : QUndoCommand(QCoreApplication::translate("LiveCommand", "change of a setting")),
      bench_(bench),
      key_(key),
      before_(std::move(before)),
      after_(std::move(after)) {}

void LiveCommand::undo() {
    bench_.applyLive(key_, before_);
}

void LiveCommand::redo() {
    bench_.applyLive(key_, after_);
}

ProbeCommand::ProbeCommand(Workbench& bench, QString before, QString after, bool& applying)
    : QUndoCommand(QCoreApplication::translate("ProbeCommand", "change of the probe text")),
      bench_(bench),
      before_(std::move(before)),
      after_(std::move(after)),
      applying_(applying) {}

void ProbeCommand::apply(const QString& text) {
    applying_ = true;
    bench_.session().setProbe(text, bench_.session().focusedPrefix());
    applying_ = false;
}

void ProbeCommand::undo() {
    apply(before_);
}

void ProbeCommand::redo() {
    if (!first_) apply(after_);
    first_ = false;
}

bool ProbeCommand::mergeWith(const QUndoCommand* other) {
    // A text that is typed letter by letter is one change, a text that is taken up again another.
    const auto* next = static_cast<const ProbeCommand*>(other);
    if (next->before_ != after_ || !(next->after_.startsWith(after_) || after_.startsWith(next->after_))) return false;
    after_ = next->after_;
    return true;
}

}  // namespace moe::app
