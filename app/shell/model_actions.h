#pragma once
#include "app/shell/corpus_dialog.h"
#include "app/shell/workbench.h"

#include <QMessageBox>
#include <QObject>
#include <QPointer>

#include <filesystem>
#include <functional>

class QMimeData;
class QWidget;

namespace moe::app {

/// Open, Save, Save As, own text, drop: the questions that a window asks before the workbench acts. None of them
/// blocks.
class ModelActions : public QObject {
    Q_OBJECT

public:
    ModelActions(Workbench& bench, SessionOptions options, QWidget* window);

    void open();
    /// A .keras file or a folder of the tutorial's three files opens as a model, anything else as a text.
    void openPath(const std::filesystem::path& path);
    /// A file of the list of recent ones; `missing` where it is no longer there, which is said.
    void openRecent(const std::filesystem::path& path, std::function<void()> missing);
    /// From an autosave. `done` with an empty sentence, or with why it could not be; that is said here.
    void restore(const std::filesystem::path& autosave, std::function<void(const QString& error)> done);
    /// To the run's file, or as Save As; asks first where somebody else has changed that file.
    void save(std::function<void()> done = {});
    void saveAs(std::function<void()> done = {});
    /// Asks for the file of Workbench::exportForKeras(), and before a second one beside it is replaced.
    void exportForKeras();
    void exportForKeras(const std::filesystem::path& path, Workbench::KerasExport kind);
    void ownText(const QString& pasted = {});

    static bool takes(const QMimeData& data);
    void drop(const QMimeData& data);

    /// Asks whether unsaved training or notes may be lost, then calls `leave`, at once where there is none.
    void beforeLeaving(std::function<void()> leave);

    CorpusDialog* corpusDialog() const { return corpus_dialog_; }
    QMessageBox* question() const { return question_; }

private:
    /// What `path` is, on another thread, then opens it. Of two that are asked for only the later one is opened.
    void look(const std::filesystem::path& path, std::function<void()> missing);
    void askToOverwrite(const std::filesystem::path& file, const std::function<void()>& done);
    void openAs(const std::filesystem::path& path, bool model);
    CorpusDialog* makeCorpusDialog();
    QMessageBox* ask(const char* name, const QString& text, const QString& more);

    Workbench& bench_;
    SessionOptions options_;
    QWidget* window_;
    QPointer<CorpusDialog> corpus_dialog_;
    QPointer<QMessageBox> question_;
    std::uint64_t looks_ = 0;
};

}  // namespace moe::app
