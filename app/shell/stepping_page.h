#pragma once
#include "app/models/number_ref.h"
#include "app/models/theme.h"
#include "app/session/session_controller.h"

#include <QFrame>

#include <optional>

namespace moe::app {

class OperationView;
class ProvenanceView;
class Stepper;
class TraceStage;
class View;

/// A surface of the window with its hairline, around one widget.
class SteppingPanel : public QFrame {
    Q_OBJECT

public:
    explicit SteppingPanel(QWidget* parent) : QFrame(parent) {}
    void setTheme(const Theme& theme);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Theme theme_ = Theme::light();
};

/// What stands in the docks' place while stepping: the example's stage, the operation, where a number comes from, and
/// the time strip where there is room. Up and Down go through the examples. GUI thread.
class SteppingPage : public QWidget {
    Q_OBJECT

public:
    SteppingPage(SessionController& session, Stepper& stepper, QWidget* parent);

    void setTheme(const Theme& theme);
    void setReducedMotion(bool reduced);
    TraceStage* stage() const { return stage_; }
    OperationView* operation() const { return operation_; }
    ProvenanceView* provenance() const { return provenance_; }

public Q_SLOTS:
    void refresh();
    /// Shows where that number comes from, and marks it.
    void pick(const moe::app::NumberRef& ref);

Q_SIGNALS:
    void numberPicked(const moe::app::NumberRef& ref);

protected:
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void arrange();

    Stepper& stepper_;
    Theme theme_ = Theme::light();
    TraceStage* stage_;
    OperationView* operation_;
    SteppingPanel *origin_, *time_panel_;
    ProvenanceView* provenance_;
    View* time_ = nullptr;
    std::shared_ptr<const Trace> shown_;
    std::size_t shown_operation_ = std::size_t(-1), shown_example_ = 0;
    bool following_ = false;
};

}  // namespace moe::app
