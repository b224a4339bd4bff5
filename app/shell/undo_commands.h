#pragma once
#include "app/shell/workbench.h"

#include <QUndoCommand>

namespace moe::app {

/// A restart, a reset or another text: undo brings the run before back with its training, redo the one after.
class RunCommand : public QUndoCommand {
public:
    RunCommand(Workbench& bench, const QString& text, KeptRun before);
    void undo() override;
    void redo() override;
    /// Appends what it keeps.
    void addRuns(std::vector<const KeptRun*>& runs) const;

private:
    Workbench& bench_;
    std::shared_ptr<std::optional<KeptRun>> before_, after_;
    bool first_ = true;
};

/// A setting that applies at once.
class LiveCommand : public QUndoCommand {
public:
    LiveCommand(Workbench& bench, const char* key, QString before, QString after);
    void undo() override;
    void redo() override;

private:
    Workbench& bench_;
    const char* key_;
    QString before_, after_;
};

/// The probe text, changed in any view.
class ProbeCommand : public QUndoCommand {
public:
    ProbeCommand(Workbench& bench, QString before, QString after, bool& applying);
    void undo() override;
    void redo() override;
    int id() const override { return 1; }
    bool mergeWith(const QUndoCommand* other) override;

private:
    void apply(const QString& text);

    Workbench& bench_;
    QString before_, after_;
    bool& applying_;
    bool first_ = true;
};

}  // namespace moe::app
