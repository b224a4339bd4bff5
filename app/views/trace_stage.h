#pragma once
#include "app/views/trace_stage_scene.h"

#include <QBasicTimer>
#include <QElapsedTimer>
#include <QWidget>

namespace moe::app {

/// The stage while stepping: one example of the batch, one operation lit. A beat is played when the operation changes
/// and again on replay(); with reduced motion its end is shown at once. GUI thread.
class TraceStage : public QWidget {
    Q_OBJECT

public:
    explicit TraceStage(QWidget* parent);

    void setTheme(const Theme& theme);
    void setWords(std::shared_ptr<const std::vector<QString>> words);
    /// `play`: from the beginning of the operation's beat; else at rest.
    void show(std::shared_ptr<const Trace> trace, std::size_t op, std::size_t example, bool play);
    void setPicked(std::optional<NumberRef> ref);
    void replay();
    void setReducedMotion(bool reduced);
    bool reducedMotion() const { return reduced_motion_; }
    bool playing() const { return clock_.isActive(); }
    const TraceStageScene& scene() const { return scene_; }

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

Q_SIGNALS:
    void numberPicked(const moe::app::NumberRef& ref);

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void timerEvent(QTimerEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;

private:
    void rest();

    TraceStageScene scene_;
    Theme theme_ = Theme::light();
    QBasicTimer clock_;
    QElapsedTimer beat_;
    bool reduced_motion_ = false;
};

}  // namespace moe::app
