#include "app/shell/dock_frame.h"
#include "app/models/tabular_text.h"

#include <QContextMenuEvent>
#include <QFontMetricsF>
#include <QMenu>
#include <QPainter>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double frame_margin = 16, radius = 10, title_size = 12.5, scope_size = 10.5;

}  // namespace

PanelHeader::PanelHeader(View* view, bool upright, QWidget* parent) : QWidget(parent), view_(view), upright_(upright) {
    connect(view, &View::headerChanged, this, &PanelHeader::refresh);
}

void PanelHeader::setTheme(const Theme& theme) {
    theme_ = theme;
    refresh();
}

void PanelHeader::refresh() {
    setAccessibleName(view_->title());
    QString tip = view_->title();
    if (!view_->scope().isEmpty()) tip += QStringLiteral(": ") + view_->scope();
    setToolTip(tip.toHtmlEscaped());
    updateGeometry();
    update();
}

int PanelHeader::lineHeight() const {
    return int(std::ceil(theme_.px(16) + QFontMetricsF(theme_.font(title_size, QFont::DemiBold)).height()));
}

QSize PanelHeader::sizeHint() const {
    if (!upright_) return {0, lineHeight()};
    return {int(std::ceil(QFontMetricsF(theme_.font(11)).horizontalAdvance(view_->title()) + theme_.px(frame_margin))),
            0};
}

QSize PanelHeader::minimumSizeHint() const {
    return sizeHint();
}

void PanelHeader::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::TextAntialiasing);
    if (upright_) {
        painter.setFont(theme_.font(11));
        painter.setPen(theme_.muted);
        painter.drawText(QRectF(theme_.px(frame_margin), theme_.px(10), width(), theme_.px(16)),
                         Qt::AlignLeft | Qt::AlignTop, view_->title());
        return;
    }
    const QFont title_font = theme_.font(title_size, QFont::DemiBold), scope_font = theme_.font(scope_size);
    const QFontMetricsF title(title_font), scope(scope_font);
    const QRectF line(theme_.px(frame_margin), theme_.px(12), width() - theme_.px(2 * frame_margin), title.height());
    painter.setFont(title_font);
    painter.setPen(theme_.ink);
    const QString value = view_->value();
    if (!value.isEmpty()) drawTabular(painter, line, Qt::AlignRight | Qt::AlignVCenter, value);
    const double room = line.width() - (value.isEmpty() ? 0 : tabularWidth(title, value) + theme_.px(12));
    // A title that does not fit, or leaves the scope no room, gives way to the short name, and stands in the tooltip.
    const double gap = theme_.px(6),
                 scope_width = view_->scope().isEmpty() ? 0 : scope.horizontalAdvance(view_->scope());
    const auto fits = [&](const QString& text) {
        return title.horizontalAdvance(text) + (scope_width > 0 ? gap + scope_width : 0) <= room;
    };
    const bool whole =
        fits(view_->title()) || (title.horizontalAdvance(view_->title()) <= room && !fits(view_->name()));
    const QString shown = whole ? view_->title() : view_->name();
    painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, title.elidedText(shown, Qt::ElideRight, room));
    if (scope_width <= 0) return;
    painter.setFont(scope_font);
    painter.setPen(theme_.muted);
    const QRectF rest = line.adjusted(title.horizontalAdvance(shown) + gap, 0, line.left() + room - line.right(), 0);
    painter.drawText(rest, (value.isEmpty() ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter,
                     scope.elidedText(view_->scope(), Qt::ElideRight, rest.width()));
}

DockFrame::DockFrame(const ViewInfo& info, SessionController& session, QWidget* parent)
    : QDockWidget(parent),
      view_(info.create(session, nullptr)),
      area_(info.area),
      open_at_first_(info.open),
      content_(new QWidget) {
    setObjectName(QString::fromLatin1(info.id));
    setWindowTitle(view_->name());
    auto* layout = new QVBoxLayout(content_);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(view_);
    setWidget(content_);
    if (area_ == ViewArea::stage) {
        setFeatures(NoDockWidgetFeatures);
        auto* none = new QWidget(this);
        none->setFixedHeight(0);
        setTitleBarWidget(none);
    } else {
        const bool upright = area_ == ViewArea::time;
        header_ = new PanelHeader(view_, upright, this);
        setFeatures(DockWidgetClosable | DockWidgetMovable | DockWidgetFloatable |
                    (upright ? DockWidgetVerticalTitleBar : NoDockWidgetFeatures));
        setTitleBarWidget(header_);
    }
    connect(this, &QDockWidget::visibilityChanged, this, [this](bool visible) {
        if (visible) view_->uncovered();
    });
}

void DockFrame::setTheme(const Theme& theme) {
    theme_ = theme;
    const int m = int(theme.px(frame_margin)), little = int(theme.px(4));
    switch (area_) {
        case ViewArea::stage:
            content_->layout()->setContentsMargins(1, 1, 1, 1);
            break;
        case ViewArea::time:
            content_->layout()->setContentsMargins(little, int(theme.px(8)), m, int(theme.px(8)));
            break;
        default:
            content_->layout()->setContentsMargins(m, little, m, int(theme.px(10)));
    }
    if (header_) header_->setTheme(theme);
    view_->setTheme(theme);
    update();
}

void DockFrame::setPointedAt(bool on) {
    if (on == pointed_at_) return;
    pointed_at_ = on;
    update();
}

void DockFrame::contextMenuEvent(QContextMenuEvent* event) {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->addActions(view_->actions());
    if (!menu->isEmpty()) menu->addSeparator();
    if (area_ != ViewArea::stage) menu->addAction(tr("Close panel"), this, [this] { toggleViewAction()->trigger(); });
    Q_EMIT menuAsked(menu);
    event->accept();
    if (menu->isEmpty())
        menu->deleteLater();
    else
        menu->popup(event->globalPos());
}

void DockFrame::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme_.page);
    painter.setPen(QPen(pointed_at_ ? Theme::mix(theme_.hairline, theme_.muted, 0.6) : theme_.hairline, 1));
    const double line = 1;
    painter.setBrush(theme_.panel);
    const double r = theme_.px(radius);
    painter.drawRoundedRect(QRectF(rect()).adjusted(line / 2, line / 2, -line / 2, -line / 2), r, r);
}

}  // namespace moe::app
