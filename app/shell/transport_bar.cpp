#include "app/shell/transport_bar.h"

#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/shell/device_button.h"
#include "app/shell/style.h"
#include "engine/core/numbers.h"

#include <QAction>
#include <QFontMetricsF>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QPushButton>
#include <QRegularExpressionValidator>
#include <QScopedValueRollback>
#include <QSignalBlocker>
#include <QSlider>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr int slowest_to_fastest = 60, unlimited = slowest_to_fastest + 1;
constexpr double decades = 3;  // 1 to 1000 steps a second

/// A click on the track goes there at once.
class SpeedSlider : public QSlider {
public:
    explicit SpeedSlider(QWidget* parent) : QSlider(Qt::Horizontal, parent) { setFocusPolicy(Qt::TabFocus); }

protected:
    void mousePressEvent(QMouseEvent* event) override {
        if (event->button() == Qt::LeftButton) {
            const int handle = height() * 3 / 4;
            setValue(QStyle::sliderValueFromPosition(minimum(), maximum(), int(event->position().x()) - handle / 2,
                                                     width() - handle));
        }
        QSlider::mousePressEvent(event);
    }
};

}  // namespace

RunFigure::RunFigure(const QString& name, const QString& widest, QWidget* parent)
    : QWidget(parent), name_(name), widest_(widest) {
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
}

void RunFigure::setName(const QString& name) {
    if (name == name_) return;
    name_ = name;
    setAccessibleName(name_ + u' ' + value_);
    updateGeometry();
    update();
}

void RunFigure::setValue(const QString& value, bool quiet) {
    if (quiet != quiet_) update();
    quiet_ = quiet;
    if (value == value_) return;
    const bool wider = value.size() > std::max(widest_.size(), value_.size());
    value_ = value;
    setAccessibleName(name_ + u' ' + value);
    if (wider) updateGeometry();
    update();
}

void RunFigure::setTheme(const Theme& theme) {
    theme_ = theme;
    updateGeometry();
    update();
}

QSize RunFigure::sizeHint() const {
    const QFontMetricsF name(theme_.font(11)), value(theme_.font(15, QFont::DemiBold));
    const QString& longest = value_.size() > widest_.size() ? value_ : widest_;
    return {int(std::ceil(std::max(name.horizontalAdvance(name_), tabularWidth(value, longest)))) + 1,
            int(std::ceil(name.height() + value.height()))};
}

void RunFigure::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QFont name = theme_.font(11), value = theme_.font(15, QFont::DemiBold);
    const double above = QFontMetricsF(name).height();
    painter.setFont(name);
    painter.setPen(theme_.muted);
    painter.drawText(QRectF(0, 0, width(), above), Qt::AlignLeft | Qt::AlignVCenter, name_);
    painter.setFont(value);
    painter.setPen(quiet_ ? theme_.muted : theme_.ink);
    drawTabular(painter, QRectF(0, above, width(), height() - above), Qt::AlignLeft | Qt::AlignVCenter, value_);
}

TransportBar::TransportBar(const Actions& actions, QWidget* parent) : QFrame(parent), actions_(actions) {
    setRole(this, "bar");
    number_ = new QLabel(this);
    setRole(number_, "body");
    title_ = new QLabel(this);
    setRole(title_, "title");
    place_ = new QLabel(this);
    setRole(place_, "caption");
    for (QLabel* label : {number_, title_, place_}) label->setTextFormat(Qt::PlainText);

    offer_ = new QPushButton(this);
    setRole(offer_, "offer");
    offer_->setFocusPolicy(Qt::TabFocus);
    connect(offer_, &QPushButton::clicked, this, &TransportBar::offerTaken);
    offer({});

    step_ = new QPushButton(actions.step_through->text(), this);
    setRole(step_, "bar");
    step_->setFocusPolicy(Qt::TabFocus);
    step_->setCheckable(true);
    const auto followStep = [this] {
        const QAction* a = actions_.step_through;
        step_->setEnabled(a->isEnabled());
        step_->setChecked(a->isChecked());
        step_->setToolTip(a->toolTip());
    };
    followStep();
    connect(actions.step_through, &QAction::changed, step_, followStep);
    connect(step_, &QPushButton::clicked, this, [this, followStep] {
        actions_.step_through->trigger();
        followStep();
    });

    reset_ = button(actions.reset, "reset");
    play_ = button(actions.play, "play");
    setRole(play_, "play");
    back_ = button(actions.back, "back");
    forward_ = button(actions.forward, "forward");
    batch_ = button(actions.batch, "batch");
    epoch_ = button(actions.epoch, "epoch");

    speed_ = new SpeedSlider(this);
    speed_->setRange(0, unlimited);
    speed_->setAccessibleName(tr("Speed in steps per second"));
    speed_->setToolTip(
        tr("How many steps are trained in a second: 1 to 1,000; at the right end as many as the machine can"));
    auto* speed_name = new QLabel(tr("Speed"), this);
    setRole(speed_name, "caption");
    speed_value_ = new QLabel(this);
    setRole(speed_value_, "caption");
    connect(speed_, &QSlider::valueChanged, this, [this](int slider) {
        speed_now_ = speedOf(slider);
        speed_value_->setText(speedText());
        Q_EMIT speedChanged(speed_now_);
    });

    auto* seed_name = new QLabel(tr("Seed"), this);
    setRole(seed_name, "caption");
    seed_ = new QLineEdit(this);
    setRole(seed_, "figure");
    seed_->setAccessibleName(tr("Seed"));
    seed_->setToolTip(
        tr("Initial weights and the order of examples come from it; Enter starts again with another seed"));
    seed_->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), seed_));
    seed_name->setBuddy(seed_);
    connect(seed_, &QLineEdit::returnPressed, this, &TransportBar::enterSeed);
    connect(seed_, &QLineEdit::editingFinished, this, [this] {
        if (!seed_->hasFocus()) seed_->setText(QString::number(shown_seed_));
    });

    epochs_ = new RunFigure(tr("Epoch"), QStringLiteral("000"), this);
    steps_ = new RunFigure(tr("Step"), QStringLiteral("0,000"), this);
    rate_ = new RunFigure(tr("Steps/s"), QStringLiteral("00,000"), this);
    gpu_rate_ = new RunFigure(tr("GPU steps/s"), QStringLiteral("00,000"), this);
    gpu_rate_->hide();
    device_ = new DeviceButton(this);

    export_ = new QPushButton(actions.exporting->text().remove(u'…'), this);
    setRole(export_, "bar");
    export_->setToolTip(tr("Heat map, load and loss as picture or table (Ctrl+E)"));
    export_->setFocusPolicy(Qt::TabFocus);
    connect(export_, &QPushButton::clicked, actions.exporting, &QAction::trigger);
    connect(actions.exporting, &QAction::changed, export_,
            [this] { export_->setVisible(actions_.exporting->isVisible()); });
    export_->setVisible(actions.exporting->isVisible());
    menu_ = new QToolButton(this);
    menu_->setMenu(actions.menu);
    menu_->setPopupMode(QToolButton::InstantPopup);
    menu_->setAccessibleName(tr("Menu"));
    menu_->setToolTip(tr("Menu (%1)").arg(actions.menu_key->shortcut().toString(QKeySequence::NativeText)));
    menu_->setFocusPolicy(Qt::TabFocus);

    const auto under = [](QHBoxLayout* names, QWidget* value) {
        auto* column = new QVBoxLayout;
        column->setContentsMargins(0, 0, 0, 0);
        column->setSpacing(0);
        column->addStretch();
        column->addLayout(names);
        column->addWidget(value);
        column->addStretch();
        return column;
    };
    auto* speed_names = new QHBoxLayout;
    speed_names->setSpacing(8);
    speed_names->addWidget(speed_name);
    speed_names->addStretch();
    speed_names->addWidget(speed_value_);
    auto* speed = under(speed_names, speed_);
    auto* seed_names = new QHBoxLayout;
    seed_names->addWidget(seed_name);
    auto* seed = under(seed_names, seed_);

    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(20, 0, 12, 0);
    row->setSpacing(0);
    row->addWidget(number_);
    row->addWidget(title_);
    row->addSpacing(18);
    row->addWidget(place_);
    row->addStretch(1);
    row->addWidget(offer_);
    row->addStretch(1);
    row->addWidget(step_);
    row->addSpacing(6);
    for (QToolButton* b : {reset_, back_, play_, forward_, batch_, epoch_}) {
        row->addWidget(b);
        row->addSpacing(5);
    }
    row->addSpacing(11);
    row->addLayout(speed);
    row->addSpacing(20);
    row->addLayout(seed);
    row->addSpacing(16);
    auto* figures = new QHBoxLayout;
    figures->setSpacing(14);
    for (RunFigure* f : {epochs_, steps_, rate_, gpu_rate_}) figures->addWidget(f);
    row->addLayout(figures);
    row->addSpacing(16);
    row->addWidget(device_, 0, Qt::AlignVCenter);
    row->addSpacing(14);
    row->addWidget(export_);
    row->addSpacing(4);
    row->addWidget(menu_);
    setSpeed(0);
}

QToolButton* TransportBar::button(QAction* action, const char*) {
    auto* b = new QToolButton(this);
    b->setFocusPolicy(Qt::TabFocus);
    const auto follow = [b, action] {
        b->setEnabled(action->isEnabled());
        b->setAccessibleName(action->text());
        const QString key = action->shortcut().toString(QKeySequence::NativeText);
        b->setToolTip(key.isEmpty() ? action->text() : QStringLiteral("%1 (%2)").arg(action->text(), key));
    };
    follow();
    connect(action, &QAction::changed, b, follow);
    connect(b, &QToolButton::clicked, action, &QAction::trigger);
    return b;
}

void TransportBar::setTheme(const Theme& theme) {
    theme_ = theme;
    setFixedHeight(int(theme.px(52)) + 1);
    scaleLayouts(this, theme.scale);
    const int size = int(theme.px(20)), side = int(theme.px(30));
    const auto dress = [&](QToolButton* b, const QString& name) {
        QIcon i;
        for (const double ratio : {1.0, 2.0}) {
            i.addPixmap(iconPixmap(name, theme.ink, size, ratio), QIcon::Normal);
            i.addPixmap(iconPixmap(name, Theme::mix(theme.panel, theme.muted, 0.6), size, ratio), QIcon::Disabled);
        }
        b->setIcon(i);
        b->setIconSize({size, size});
        b->setFixedSize(side, side);
    };
    dress(reset_, QStringLiteral("reset"));
    dress(back_, QStringLiteral("back"));
    dress(forward_, QStringLiteral("forward"));
    dress(batch_, QStringLiteral("batch"));
    dress(epoch_, QStringLiteral("epoch"));
    dress(menu_, QStringLiteral("menu"));
    // Twice the style sheet's radius, or the circle becomes a square.
    const int circle = 2 * std::max(1, int(std::lround(theme.px(17))));
    play_->setFixedSize(circle, circle);
    play_->setIconSize({size, size});
    setPlaying(playing_);
    speed_->setFixedSize(int(theme.px(124)), int(theme.px(16)));
    seed_->setFixedSize(int(theme.px(44)), int(theme.px(20)));
    for (RunFigure* f : {epochs_, steps_, rate_, gpu_rate_}) f->setTheme(theme);
    device_->setTheme(theme);
}

bool TransportBar::event(QEvent* event) {
    const bool done = QFrame::event(event);
    if (event->type() == QEvent::LayoutRequest || event->type() == QEvent::Resize) fit();
    return done;
}

void TransportBar::fit() {
    if (fitting_) return;
    const QScopedValueRollback busy(fitting_, true);
    const auto needs = [](const QWidget* w) { return w->minimumSizeHint().width(); };
    int taken = layout()->totalMinimumSize().width();
    for (const QWidget* w : {static_cast<QWidget*>(place_), static_cast<QWidget*>(step_)})
        if (!w->isHidden()) taken -= needs(w);
    taken +=
        title_->fontMetrics().horizontalAdvance(heading_) - title_->fontMetrics().horizontalAdvance(title_->text());
    offer_->ensurePolished();
    const auto wide = [this](const QString& text) { return offer_->fontMetrics().horizontalAdvance(text); };
    taken += wide(offered_) - wide(offer_->text());
    const bool whole_offer = taken <= width();
    if (!whole_offer) taken += wide(shorter_offer_) - wide(offered_);
    if (const QString& text = whole_offer ? offered_ : shorter_offer_; text != offer_->text()) offer_->setText(text);
    const bool step = taken + needs(step_) <= width();
    const bool place = offer_->text().isEmpty() && taken + needs(step_) + needs(place_) <= width();
    if (step == step_->isHidden()) step_->setVisible(step);
    if (place == place_->isHidden()) place_->setVisible(place);
    title_->ensurePolished();
    const QFontMetrics metrics = title_->fontMetrics();
    const int other =
        taken + (step ? needs(step_) : 0) + (place ? needs(place_) : 0) - metrics.horizontalAdvance(heading_);
    const QString shown = metrics.elidedText(heading_, Qt::ElideMiddle, std::max(0, width() - other));
    if (shown != title_->text()) title_->setText(shown);
}

void TransportBar::setPlaying(bool playing) {
    playing_ = playing;
    play_->setIcon(icon(playing ? QStringLiteral("pause") : QStringLiteral("play"), theme_.textOn(theme_.ink),
                        int(theme_.px(20))));
}

void TransportBar::setHeading(const QString& number, const QString& title, const QString& place) {
    number_->setText(number + QStringLiteral("\u00a0\u00a0\u00a0"));  // its gap goes with it
    number_->setVisible(!number.isEmpty());
    heading_ = title;
    title_->setText(title);
    title_->setToolTip(tipText(title));
    place_->setText(place);
}

void TransportBar::offer(const QString& text, const QString& shorter) {
    offered_ = text;
    shorter_offer_ = shorter.isEmpty() ? text : shorter;
    offer_->setVisible(!text.isEmpty());
    offer_->setText(text);
    // The offer takes the room of the lesson's place in the course.
    if (layout()) fit();
}

void TransportBar::showSnapshot(const Snapshot& snapshot) {
    epochs_->setValue(countText(snapshot.epoch));
    steps_->setValue(countText(snapshot.step));
    const bool running = snapshot.state == SessionState::running;
    showRates(snapshot);
    device_->showDevice(snapshot.device);
    if (running != playing_) setPlaying(running);
    const quint64 seed = snapshot.experiment.train.seed;
    if (seed != shown_seed_ || seed_->text().isEmpty()) {
        shown_seed_ = seed;
        if (!seed_->hasFocus()) seed_->setText(QString::number(seed));
    }
}

void TransportBar::setTwoDevices() {
    two_devices_ = true;
    rate_->setName(tr("CPU steps/s"));
    gpu_rate_->show();
}

// The device that computes shows what it makes now, the other one what this model last reached there.
void TransportBar::showRates(const Snapshot& snapshot) {
    const bool on_gpu = snapshot.device_id == "cuda";
    const double now = snapshot.state == SessionState::running ? snapshot.steps_per_second : 0;
    for (RunFigure* figure : {rate_, gpu_rate_}) {
        const bool present = !two_devices_ || (figure == gpu_rate_) == on_gpu;
        double reached = present ? now : 0;
        QString tip = present ? tr("Steps in a second, now") : QString();
        if (reached <= 0)
            for (const DeviceSpeed& speed : snapshot.speeds)
                if (two_devices_ ? (speed.device == "cuda") == (figure == gpu_rate_)
                                 : speed.device == snapshot.device_id) {
                    reached = speed.steps_per_second;
                    tip =
                        tr("What this model last reached on %1 at full speed").arg(QString::fromStdString(speed.title));
                }
        if (tip.isEmpty()) tip = tr("Not measured: this model has not been trained there at full speed");
        figure->setValue(reached > 0 ? countText(quint64(std::llround(reached))) : QStringLiteral("–"),
                         !(present && now > 0));
        figure->setToolTip(tip.toHtmlEscaped());
    }
}

void TransportBar::showMenu() {
    menu_->showMenu();
}

void TransportBar::enterSeed() {
    bool ok = false;
    const quint64 seed = seed_->text().toULongLong(&ok);
    if (ok && seed != shown_seed_) Q_EMIT seedEntered(seed);
    seed_->clearFocus();
}

int TransportBar::sliderOf(double steps) {
    if (steps <= 0) return unlimited;
    return std::clamp(int(std::lround(std::log10(std::max(1.0, steps)) / decades * slowest_to_fastest)), 0,
                      slowest_to_fastest);
}

double TransportBar::speedOf(int slider) {
    if (slider >= unlimited) return 0;
    const double exact = std::pow(10.0, decades * slider / slowest_to_fastest);
    return exact < 20 ? std::round(exact * 2) / 2 : std::round(exact);
}

void TransportBar::setSpeed(double stepsPerSecond) {
    const QSignalBlocker quiet(speed_);
    speed_->setValue(sliderOf(stepsPerSecond));
    speed_now_ = std::max(0.0, stepsPerSecond);
    speed_value_->setText(speedText());
}

QString TransportBar::speedText() const {
    return speed_now_ <= 0 ? tr("max") : tr("%1 steps/s").arg(QString::fromStdString(to_text(speed_now_)));
}

}  // namespace moe::app
