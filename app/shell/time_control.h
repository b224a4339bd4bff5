#pragma once
#include "app/models/theme.h"

#include <QAbstractButton>
#include <QMessageBox>
#include <QPointer>

#include <functional>
#include <optional>

namespace moe::app {

class DockArea;
class Notice;
class WindowActions;
class Workbench;

/// "Step 120 of 4,310 · back to now": stands on the stage's upper edge while the past is shown, and leads back. While a
/// replay takes long, how far it is.
class PastMark : public QAbstractButton {
    Q_OBJECT

public:
    explicit PastMark(QWidget* parent);

    void setTheme(const Theme& theme);
    void showMoment(const QString& text, std::optional<double> progress);
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Theme theme_ = Theme::light();
    std::optional<double> progress_;
};

/// The window in the past: says so, leads back to now, and asks before training goes on from there. GUI thread.
class TimeControl : public QObject {
    Q_OBJECT

public:
    TimeControl(Workbench& bench, DockArea& docks, Notice& notice, const WindowActions& actions, QWidget* window);

    void setTheme(const Theme& theme);
    PastMark* mark() const { return mark_; }
    QMessageBox* question() const { return question_; }
    /// The keyboard goes to the field where a step is typed.
    void typeStep();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void showMoment();
    void place();
    void ask(std::uint64_t step, const std::function<void()>& command);
    void trainOn(std::uint64_t step, const std::function<void()>& command);

    Workbench& bench_;
    DockArea& docks_;
    Notice& notice_;
    const WindowActions& actions_;
    QWidget* window_;
    PastMark* mark_;
    QPointer<QMessageBox> question_;
    bool asks_ = true;
};

}  // namespace moe::app
