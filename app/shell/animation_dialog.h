#pragma once
#include "app/models/theme.h"
#include "app/shell/animation_job.h"

#include <QDialog>
#include <QPointer>

#include <memory>
#include <vector>

class QButtonGroup;
class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;

namespace moe::app {

/// The run as an animation: which views, which steps, how many frames in how many seconds, which size; then it is made
/// in the background, with its progress, until it is there or cancelled. GUI thread.
class AnimationDialog : public QDialog {
    Q_OBJECT

public:
    /// `sources` of any moment; `options` carry the corpus's name and the stage's painter. `first`: the view that is
    /// chosen at the beginning.
    AnimationDialog(std::vector<FigureSource> sources, FigureOptions options, const QString& first,
                    SessionController& session, const Theme& theme, Background& background, QWidget* parent);

    void choose(const QStringList& ids);
    void chooseFormat(AnimationFormat format);
    void setSteps(std::uint64_t from, std::uint64_t to, std::size_t frames, double seconds);
    /// What goes wrong is said in the dialog.
    void saveTo(const std::filesystem::path& target);
    void cancel();
    /// Shows the run as it is by now; steps that reached to its end still do.
    void follow();
    bool running() const { return job_ && job_->running(); }
    QString message() const;

Q_SIGNALS:
    void saved(const QString& path);

protected:
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    bool event(QEvent* event) override;
    void done(int result) override;

private:
    void build(const QString& first);
    /// The plan as it is entered; says what is wrong and gives nothing where something is.
    std::optional<AnimationPlan> plan();
    void showPreview();
    void watchRun();
    void askWhere();
    void setRunning(bool on);
    void say(const QString& sentence, bool error);

    std::vector<FigureSource> sources_;
    FigureOptions given_;
    SessionController& session_;
    Theme theme_;
    Background& background_;
    std::shared_ptr<const Snapshot> present_;
    std::uint64_t newest_ = 0;  // step of the run
    bool replaced_ = false;     // the run is not the one of present_
    std::vector<QCheckBox*> views_;
    QLineEdit *from_, *to_, *frames_, *seconds_;
    QComboBox* sizes_;
    QButtonGroup *formats_, *papers_;
    QLabel *picture_, *rate_, *message_;
    QProgressBar* progress_;
    QPushButton *save_ = nullptr, *close_ = nullptr;
    QPointer<AnimationJob> job_;
};

}  // namespace moe::app
