#include "app/shell/device_button.h"

#include "app/models/device_contest.h"
#include "app/models/text_format.h"
#include "app/shell/style.h"

#include <QActionGroup>
#include <QFontMetricsF>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QWidgetAction>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double chip_size = 11, widest_chip = 104, chip_padding = 8, room_of_arrow = 14, arrow_size = 7;
constexpr double reason_size = 11, reason_width = 250;

}  // namespace

DeviceButton::DeviceButton(QWidget* parent) : QPushButton(parent), menu_(new QMenu(this)) {
    setFocusPolicy(Qt::TabFocus);
    setMenu(menu_);
    menu_->setToolTipsVisible(true);
    connect(menu_, &QMenu::aboutToShow, this, &DeviceButton::menuAsked);
    // The menu is not there yet.
    connect(menu_, &QMenu::aboutToShow, this, &DeviceButton::pickOut, Qt::QueuedConnection);
    setDevices({}, QStringLiteral("auto"));
    showDevice({});
}

void DeviceButton::setTheme(const Theme& theme) {
    theme_ = theme;
    for (QLabel* reason : menu_->findChildren<QLabel*>()) reason->setFixedWidth(int(theme.px(reason_width)));
    fit();
}

void DeviceButton::showDevice(const std::string& title) {
    QString device = QString::fromStdString(title);
    if (const QString kind = QStringLiteral("CUDA"); device.startsWith(kind))
        device.replace(0, kind.size(), QStringLiteral("GPU"));
    if (device == device_ && isHidden() == device.isEmpty()) return;
    device_ = device;
    nameAuto();
    setVisible(!device.isEmpty());
    setAccessibleName(tr("Device: %1").arg(device));
    setToolTip(tipText(tr("%1 computes; choose another device here (Ctrl+D)").arg(device)));
    fit();
}

// A name that is too long is cut; all of it stands in the tooltip and in the menu.
void DeviceButton::fit() {
    const QFontMetricsF metrics(theme_.font(chip_size));
    const QString shown = elided(metrics, device_, theme_.px(widest_chip));
    if (shown != text()) setText(shown);
    updateGeometry();
}

void DeviceButton::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    const bool lit = underMouse() || isDown() || menu_->isVisible();
    painter.setPen(QPen(hasFocus() ? theme_.ink : lit ? theme_.track : theme_.page, 1));
    painter.setBrush(lit ? theme_.track : theme_.page);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme_.px(8), theme_.px(8));
    const double pad = theme_.px(chip_padding), arrow = theme_.px(arrow_size);
    painter.setFont(theme_.font(chip_size));
    painter.setPen(lit || hasFocus() ? theme_.ink : theme_.muted);
    painter.drawText(QRectF(pad, 0, width() - pad, height()), Qt::AlignLeft | Qt::AlignVCenter, text());
    painter.setPen(QPen(painter.pen().color(), theme_.px(1.4), Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    const QPointF tip(width() - pad - arrow / 2, height() / 2.0 + arrow / 4);
    const QPointF ends[] = {tip + QPointF(-arrow / 2, -arrow / 2), tip, tip + QPointF(arrow / 2, -arrow / 2)};
    painter.drawPolyline(ends, 3);
}

QSize DeviceButton::sizeHint() const {
    const QFontMetricsF metrics(theme_.font(chip_size));
    double widest = metrics.horizontalAdvance(text());
    for (const QString& name : names_)
        widest = std::max(widest, std::min(metrics.horizontalAdvance(name), theme_.px(widest_chip)));
    return {int(std::ceil(widest + theme_.px(2 * chip_padding + room_of_arrow))),
            int(std::ceil(metrics.height() + theme_.px(8)))};
}

// Chosen, it says what came of it.
void DeviceButton::nameAuto() {
    if (!auto_) return;
    auto_->setText(auto_->isChecked() && !device_.isEmpty()
                       ? tr("Auto: now %1").arg(device_.section(QStringLiteral(" · "), 0, 0))
                       : tr("Auto: the GPU where there is one"));
}

void DeviceButton::pickOut() {
    if (!menu_->isVisible() || menu_->activeAction()) return;
    for (QAction* action : menu_->actions())
        if (action->isChecked()) menu_->setActiveAction(action);
}

void DeviceButton::addReason(const QString& reason) {
    auto* label = new QLabel(reason, menu_);
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    label->setFixedWidth(int(theme_.px(reason_width)));
    setRole(label, "reason");
    auto* action = new QWidgetAction(menu_);
    action->setDefaultWidget(label);
    action->setEnabled(false);
    menu_->addAction(action);
}

void DeviceButton::setDevices(const std::vector<DeviceInfo>& devices, const QString& choice) {
    const QString picked = menu_->activeAction() ? menu_->activeAction()->data().toString() : QString();
    auto_ = nullptr;
    for (QAction* action : menu_->actions()) action->deleteLater();
    menu_->clear();
    names_.clear();
    auto* group = new QActionGroup(menu_);
    const auto add = [&](const QString& id, const QString& text) {
        QAction* action = menu_->addAction(text);
        action->setCheckable(true);
        action->setChecked(id == choice);
        action->setData(id);
        group->addAction(action);
        connect(action, &QAction::triggered, this, [this, id] { Q_EMIT deviceChosen(id); });
        return action;
    };
    QString off;
    if (devices.empty()) {
        menu_->addAction(tr("Looking for a GPU…"))->setEnabled(false);
    } else {
        auto_ = add(QStringLiteral("auto"), {});
        nameAuto();
        for (const DeviceInfo& device : devices) {
            const QString name = deviceName(device), reason = QString::fromStdString(device.why_off);
            QAction* action = add(QString::fromStdString(device.id), name);
            if (reason.isEmpty()) {
                names_.push_back(name);
                continue;
            }
            off = tr("%1 is off. %2").arg(name, reason);
            action->setEnabled(false);
            action->setToolTip(off);
            addReason(tr("Off. %1").arg(reason));
        }
    }
    // What a person reads in the menu, for those who hear it.
    setAccessibleDescription(off);
    menu_->addSeparator();
    if (menu_->isVisible() && !picked.isEmpty())
        for (QAction* action : menu_->actions())
            if (action->data().toString() == picked && action->isEnabled()) menu_->setActiveAction(action);
    pickOut();
    connect(menu_->addAction(tr("Compare the devices")), &QAction::triggered, this, &DeviceButton::comparisonAsked);
    fit();
}

}  // namespace moe::app
