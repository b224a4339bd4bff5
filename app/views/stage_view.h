#pragma once
#include "app/models/inspection.h"
#include "app/views/stage_view_scene.h"
#include "app/views/view.h"

#include <QBasicTimer>
#include <QElapsedTimer>
#include <QLineEdit>
#include <QTimer>

namespace moe::app {

/// The token stage: the probe text on its way through the model, and the line where it is typed. Up and Down move the
/// focused prefix, 1 to 9 pick an expert, Escape lets go; Left, Right and Space belong to the window. GUI thread.
class StageView : public View {
    Q_OBJECT
    Q_PROPERTY(bool reducedMotion READ reducedMotion WRITE setReducedMotion)

public:
    StageView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Stage"); }
    Table table() const override { return scene_.table(); }

    /// Shows a snapshot; what the session's are given to.
    void display(std::shared_ptr<const Snapshot> snapshot);
    /// The same picture with paths, for exports: the stage alone, without its panel and the probe line's text.
    void paint(QPainter& painter, QSizeF size) const { scene_.paint(painter, size); }

    bool reducedMotion() const { return reduced_motion_; }
    void setReducedMotion(bool reduced);

    const StageScene& scene() const { return scene_; }
    QSize sizeHint() const override { return {716, 392}; }
    QSize minimumSizeHint() const override { return {560, 300}; }

Q_SIGNALS:
    void partClicked(const moe::app::InspectionTarget& target);
    void inspectAsked(const moe::app::InspectionTarget& target);  // double click, or "Inspect" in the menu

protected:
    void themeChanged() override;
    bool event(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void timerEvent(QTimerEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void takeFocus();
    void takeStructure();
    void sendProbe();
    void moveFocus(qsizetype rows);
    void placeProbe();
    /// What the inspector would look into; nothing where there is nothing to look at.
    std::optional<InspectionTarget> inspectable(const StageHit& hit) const;
    void describe();
    /// Runs the clock while something moves, and only then.
    void keepTime();

    StageScene scene_;
    QLineEdit* probe_;
    QAction* inspect_;
    std::optional<InspectionTarget> under_menu_;
    QTimer typing_;
    QBasicTimer clock_;
    QElapsedTimer beat_;
    QRectF probe_label_, probe_hint_;
    double wheel_ = 0;
    bool reduced_motion_ = false;
};

}  // namespace moe::app
