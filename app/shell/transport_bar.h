#pragma once
#include "app/models/theme.h"
#include "engine/session/snapshot.h"

#include <QFrame>

class QAction;
class QHBoxLayout;
class QLabel;
class QLineEdit;
class QMenu;
class QPushButton;
class QSlider;
class QToolButton;

namespace moe::app {

class DeviceButton;

/// A number under its name: "Step" over 174, in figures of one width.
class RunFigure : public QWidget {
    Q_OBJECT

public:
    RunFigure(const QString& name, const QString& widest, QWidget* parent);
    void setName(const QString& name);
    /// `quiet`: it stands back behind one that moves.
    void setValue(const QString& value, bool quiet = false);
    QString name() const { return name_; }
    QString value() const { return value_; }
    bool quiet() const { return quiet_; }
    void setTheme(const Theme& theme);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString name_, widest_, value_;
    bool quiet_ = false;
    Theme theme_ = Theme::light();
};

/// The bar on top: which lesson, reset, play, batch, epoch, speed, seed, the run's figures, the device, export, menu.
/// Asks by signals and shows what it is given.
class TransportBar : public QFrame {
    Q_OBJECT

public:
    /// The buttons carry these actions: names, keys and tooltips are theirs.
    struct Actions {
        QAction *reset, *play, *back, *forward, *batch, *epoch, *step_through, *exporting, *menu_key;
        QMenu* menu;
    };

    TransportBar(const Actions& actions, QWidget* parent);

    void setTheme(const Theme& theme);
    void setHeading(const QString& number, const QString& title, const QString& place);
    /// A button beside the heading that says that the run is finished and trains on; empty: nothing to offer. The
    /// shorter one where the title has no room beside the other.
    void offer(const QString& text, const QString& shorter = {});
    void showSnapshot(const Snapshot& snapshot);
    /// Steps a second for each of two devices, from now on: what is measured later makes nothing jump.
    void setTwoDevices();
    DeviceButton* device() const { return device_; }
    void showMenu();

    /// Steps a second, 0: as fast as it goes.
    double speed() const { return speed_now_; }
    /// Shows it; asks for nothing.
    void setSpeed(double stepsPerSecond);
    static int sliderOf(double stepsPerSecond);
    static double speedOf(int slider);
    QString speedText() const;

protected:
    bool event(QEvent* event) override;

Q_SIGNALS:
    void speedChanged(double stepsPerSecond);
    void seedEntered(quint64 seed);
    void offerTaken();

private:
    QToolButton* button(QAction* action, const char* icon);
    /// Place in the course, the way into stepping, words of the offer and the middle of a long title give way, in this
    /// order, where the bar is too narrow.
    void fit();
    void setPlaying(bool playing);
    void showRates(const Snapshot& snapshot);
    void enterSeed();

    Actions actions_;
    Theme theme_ = Theme::light();
    QString offered_, shorter_offer_;
    QString heading_;  // the title has what the bar has room for
    QLabel *number_, *title_, *place_, *speed_value_;
    DeviceButton* device_;
    QToolButton *reset_, *back_, *play_, *forward_, *batch_, *epoch_, *menu_;
    QPushButton *offer_, *step_, *export_;
    QSlider* speed_;
    QLineEdit* seed_;
    RunFigure *epochs_, *steps_, *rate_, *gpu_rate_;
    bool playing_ = false, fitting_ = false, two_devices_ = false;
    double speed_now_ = 0;
    quint64 shown_seed_ = 0;
};

}  // namespace moe::app
