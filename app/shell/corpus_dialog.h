#pragma once
#include "app/models/experiment_draft.h"
#include "app/shell/background.h"
#include "engine/session/training_session.h"

#include <QDialog>
#include <QTimer>

#include <atomic>
#include <filesystem>
#include <memory>
#include <vector>

class QLabel;
class QPlainTextEdit;
class QProgressBar;
class QPushButton;

namespace moe::app {

/// What is known of a text before anything is trained on it.
struct CorpusFacts {
    std::shared_ptr<const Corpus> corpus;
    ExperimentCost cost;
    double seconds_per_epoch = 0;  // from steps that were really trained; 0: not measured
};

/// Cuts the text into words and examples, checks that the model fits, and trains a few steps of a throw-away model to
/// tell what an epoch takes. Throws Error. Slow: any thread but the GUI's. Gives up early once `cancelled` is set.
CorpusFacts examineCorpus(const QString& name, const std::string& bytes, const Experiment& experiment,
                          const SessionOptions& options, const std::atomic<bool>& cancelled);

/// A text of one's own: opened or pasted, and what it will cost, before training starts.
class CorpusDialog : public QDialog {
    Q_OBJECT

public:
    /// `background` outlives the dialog: a text that is being read when it is closed is read to its end and dropped.
    CorpusDialog(Experiment experiment, SessionOptions options, Background& background, QWidget* parent);
    ~CorpusDialog() override;

    /// Reads a file on another thread, with a progress mark that can be cancelled.
    void openFile(const std::filesystem::path& path);
    void setText(const QString& text);
    /// The session's sentence when it refused the text after all.
    void refuse(const QString& sentence);
    QString problem() const;
    QString factsText() const;
    bool canTrain() const;

Q_SIGNALS:
    void chosen(std::shared_ptr<const moe::Corpus> corpus);

private:
    void chooseFile();
    void examinePasted();
    void examine(const QString& name, std::function<std::string()> bytes);
    void setBusy(const QString& what);
    void showFacts(const CorpusFacts& facts);
    void cancelWork();

    Experiment experiment_;
    SessionOptions options_;
    QPlainTextEdit* edit_;
    QLabel *source_, *facts_, *notes_, *problem_, *busy_;
    QProgressBar* progress_;
    QPushButton *file_, *stop_, *train_, *cancel_;
    QTimer typed_;
    bool from_file_ = false;
    std::shared_ptr<const Corpus> corpus_;
    std::shared_ptr<std::atomic<bool>> cancelled_;
    Background& background_;
};

}  // namespace moe::app
