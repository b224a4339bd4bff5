#pragma once
#include "app/models/operation_catalogue.h"
#include "app/models/theme.h"

#include <QAbstractButton>
#include <QFrame>

class QLabel;
class QPushButton;
class QScrollArea;

namespace moe::app {

class Stepper;

/// The batch's operations under Forward, Backward and Update: done, current and coming ones. A click goes there.
class OperationList : public QWidget {
    Q_OBJECT

public:
    OperationList(Stepper& stepper, QWidget* parent);
    void setTheme(const Theme& theme);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {100, sizeHint().height()}; }
    /// The height that there is for the list: rows give way a little before it scrolls.
    void setRoom(int height);
    /// Of the current operation.
    QRect currentPlace() const;
    const QStringList& cutTexts() const { return cut_; }

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    struct Line {
        std::optional<std::size_t> operation;  // none: a heading
        QString text;
        TracePhase phase;
        QRectF place;
    };
    std::vector<Line> lines() const;
    double rowHeight() const;
    std::optional<std::size_t> operationAt(QPointF point) const;

    Stepper& stepper_;
    Theme theme_ = Theme::light();
    int room_ = 0;
    std::optional<std::size_t> hovered_;
    QStringList cut_;
};

/// Which example of the batch is followed: its phrase and next word. A click lists them all, Up and Down go through.
class ExamplePicker : public QAbstractButton {
    Q_OBJECT

public:
    ExamplePicker(Stepper& stepper, QWidget* parent);
    void setTheme(const Theme& theme);
    void refresh();
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {80, sizeHint().height()}; }
    /// What of the phrase has room: its last words, set smaller before any is left out.
    QString shownPhrase() const;

protected:
    void paintEvent(QPaintEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

private:
    struct Shown {
        QString text;
        QFont font;
        QRectF place;
    };
    Shown shown() const;
    void choose();

    Stepper& stepper_;
    Theme theme_ = Theme::light();
    QString phrase_, count_;
};

/// The left column while stepping: which batch, which operation, which example, all operations, and the ways out.
class SteppingList : public QFrame {
    Q_OBJECT

public:
    SteppingList(Stepper& stepper, QWidget* parent);
    void setTheme(const Theme& theme);
    void refresh(const QString& state);
    OperationList* operations() const { return operations_; }
    ExamplePicker* picker() const { return picker_; }
    QPushButton* leaveButton() const { return leave_; }
    QPushButton* replayButton() const { return replay_; }

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    Stepper& stepper_;
    QLabel *batch_, *title_, *example_, *padding_, *state_, *keys_;
    ExamplePicker* picker_;
    OperationList* operations_;
    QScrollArea* scroll_;
    QPushButton *replay_, *leave_;
};

}  // namespace moe::app
