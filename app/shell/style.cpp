#include "app/shell/style.h"

#include <QGridLayout>
#include <QGuiApplication>
#include <QHash>
#include <QPainter>
#include <QStyle>
#include <QSvgRenderer>
#include <QVariant>
#include <QWidget>

#include <algorithm>
#include <cmath>
#include <vector>

// Resources of a static library are not registered by themselves; the macro works outside namespaces alone.
static void registerResources() {
    Q_INIT_RESOURCE(resources);
}

namespace moe::app {

namespace {

// In the text, $name is a colour and #12px or 12.5px lengths at scale 1.
const char* const sheet = R"(
* { font-family: "$family"; font-size: @13; color: $ink; }
QToolTip { background: $ink; color: $paper; border: none; padding: @4 @8; font-size: @12; }
QWidget[role="page"], QMainWindow, QMainWindow[role="docks"] { background: $page; }
QMainWindow::separator { background: transparent; width: @16; height: @16; }
QMainWindow::separator:hover { background: $hairline; }
QWidget[role="bar"] { background: $panel; border: none; border-bottom: 1px solid $hairline; }
QWidget[role="column"] { background: $panel; border: none; border-right: 1px solid $hairline; }
QFrame[role="card"] { background: $page; border: none; border-radius: @8; }
QFrame[role="notice"] { background: $panel; border: 1px solid $muted; border-radius: @10; }
QFrame[role="alarm"] { background: $ink; border: none; border-radius: @10; }
QFrame[role="alarm"] QLabel { color: $paper; }
QFrame[role="alarm"] QPushButton { background: transparent; border: 1px solid $muted; color: $paper; }
QFrame[role="line"] { background: $hairline; border: none; max-height: 1px; min-height: 1px; }
QDialog { background: $panel; }

QLabel { background: transparent; }
QLabel[role="title"] { font-size: @15; font-weight: 600; }
QLabel[role="question"] { font-size: @17; font-weight: 600; }
QLabel[role="body"] { color: $muted; }
QLabel[role="label"], QLabel[role="reveal"] { font-size: @12.5; }
QLabel[role="caption"] { font-size: @11; color: $muted; }
QLabel[role="heading"] { font-size: @12.5; font-weight: 600; }
QLabel[role="quietHeading"] { font-size: @12.5; font-weight: 600; color: $muted; }
QLabel[role="error"] { font-size: @12; font-weight: 500; }
QLabel[role="reason"] { color: $muted; font-size: @11; padding: 0px @12 @6 @33; }
QLabel[role="chip"] { background: $page; color: $muted; font-size: @11; border-radius: @8; padding: @4 @8; }
QTextBrowser[role="body"] { color: $muted; background: transparent; border: none; }

QPushButton { outline: none; background: $panel; border: 1px solid $hairline; border-radius: @6; padding: @6 @12; font-size: @12.5; }
QPushButton:hover { border-color: $muted; }
QPushButton:focus { border-color: $ink; }
QPushButton:pressed, QPushButton:checked { border: 2px solid $ink; padding: @5 @11; }
QPushButton:disabled { color: $muted; background: $page; }
QPushButton[role="primary"] { background: $ink; color: $paper; border: 1px solid $ink; font-size: @13; font-weight: 600;
    padding: @7 @16; border-radius: @8; }
QPushButton[role="primary"]:hover { background: $inkSoft; border-color: $inkSoft; }
QPushButton[role="primary"]:focus { border: 2px solid $muted; padding: @6 @15; }
QPushButton[role="primary"]:pressed { background: $muted; border: 1px solid $muted; padding: @7 @16; }
QPushButton[role="primary"]:disabled { background: $track; color: $muted; border-color: $track; }
QPushButton[role="quiet"] { background: transparent; border: none; color: $muted; font-size: @13; padding: @7 @8; }
QPushButton[role="quiet"]:hover, QPushButton[role="quiet"]:focus { color: $ink; }
QPushButton[role="quiet"]:disabled { color: $hairline; }
QPushButton[role="bar"] { background: transparent; border: none; font-size: @13; font-weight: 500; padding: @6 @8; }
QPushButton[role="bar"]:hover, QPushButton[role="bar"]:focus { background: $track; border-radius: @6; }
QPushButton[role="bar"]:checked { background: $ink; color: $paper; border: none; border-radius: @6; padding: @6 @8; }
QPushButton[role="option"] { padding: @5 @3; }
QPushButton[role="option"]:focus { border: 1px dashed $muted; }
QPushButton[role="option"]:pressed, QPushButton[role="option"]:checked { background: $track; border: 2px solid $ink;
    font-weight: 600; padding: @4 @2; }
QPushButton[role="offer"] { background: $track; border: none; border-radius: @8; font-size: @12; font-weight: 500; padding: @5 @10; }
QPushButton[role="offer"]:hover, QPushButton[role="offer"]:focus { background: $hairline; }
QPushButton[role="link"] { background: transparent; border: none; padding: @2 0px; text-decoration: underline; text-align: left; }
QPushButton[role="link"]:hover, QPushButton[role="link"]:focus { color: $muted; }
QPushButton[role="segment"] { background: transparent; border: 1px solid $hairline; padding: @3 @8; border-radius: @6; font-size: @12; }
QPushButton[role="segment"]:checked { background: $ink; color: $paper; border-color: $ink; padding: @3 @8; }
QToolButton { background: transparent; border: none; border-radius: @6; padding: @5; }
QToolButton:hover, QToolButton:focus { background: $track; }
QToolButton:pressed { background: $hairline; }
QToolButton::menu-indicator { image: none; width: 0px; }
QToolButton[role="play"] { background: $ink; border-radius: @17; padding: 0px; }
QToolButton[role="play"]:hover { background: $inkSoft; }
QToolButton[role="play"]:focus { border: 2px solid $muted; }
QToolButton[role="play"]:pressed { background: $muted; }
QToolButton[role="play"]:disabled { background: $track; }

QLineEdit, QPlainTextEdit { background: $panel; border: 1px solid $hairline; border-radius: @6; padding: @3 @6; font-size: @12.5;
    selection-background-color: $ink; selection-color: $paper; }
QLineEdit:hover, QPlainTextEdit:hover { border-color: $muted; }
QLineEdit:disabled { background: $page; color: $muted; border-color: $page; }
QLabel:disabled { color: $muted; }
QLineEdit:focus, QPlainTextEdit:focus { border: 1px solid $ink; }
QLineEdit[bad="true"] { border: 2px solid $ink; padding: @2 @5; }
QLineEdit[role="figure"] { font-size: @15; font-weight: 600; border: none; background: transparent; padding: 0px;
    border-bottom: 1px solid $hairline; border-radius: 0px; }
QLineEdit[role="figure"]:focus { border-bottom: 1px solid $ink; }
QCheckBox { spacing: @8; font-size: @12.5; }
QCheckBox::indicator { width: @14; height: @14; border: 1px solid $muted; border-radius: @4; background: $panel; }
QCheckBox::indicator:checked { background: $ink; border-color: $ink; image: url(:/icons/$check.svg); }
QCheckBox:focus { text-decoration: underline; }
QComboBox { background: $panel; border: 1px solid $hairline; border-radius: @6; padding: @3 @8; font-size: @12.5; }
QComboBox:focus { border-color: $ink; }
QComboBox::drop-down { border: none; background: transparent; width: @20; }
QComboBox::down-arrow { image: url(:/icons/$chevron.svg); width: @11; height: @11; }
QComboBox QAbstractItemView { background: $panel; border: 1px solid $hairline; selection-background-color: $track; selection-color: $ink; }

QSlider::groove:horizontal { height: @3; background: $track; border-radius: 1px; }
QSlider::sub-page:horizontal { background: $ink; border-radius: 1px; }
QSlider::handle:horizontal { background: $ink; width: @12; height: @12; margin: -@5 0px; border-radius: @6; }
QSlider::handle:horizontal:hover { background: $inkSoft; }
QSlider:focus { border-bottom: 1px solid $muted; }
QProgressBar { background: $track; border: none; border-radius: @2; max-height: @4; min-height: @4; }
QProgressBar::chunk { background: $ink; border-radius: @2; }

QMenu { background: $panel; border: 1px solid $hairline; padding: @6 0px; }
QMenu::item { padding: @5 @28 @5 @28; font-size: @12.5; background: transparent; }
QMenu::item:selected { background: $track; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $hairline; margin: @5 0px; }
QMenu::indicator { width: @8; height: @8; left: @10; }
QMenu::indicator:checked { background: $ink; border-radius: @3; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QFileDialog QAbstractItemView { background: $panel; alternate-background-color: $page; border: 1px solid $hairline;
    selection-background-color: $track; selection-color: $ink; }
QFileDialog QHeaderView, QHeaderView::section { background: $page; color: $muted; border: none; padding: @1 @4; }
QScrollArea { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: @8; margin: 0px; }
QScrollBar:horizontal { background: transparent; height: @8; margin: 0px; }
QScrollBar::handle { background: $hairline; border-radius: @3; min-height: @24; min-width: @24; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0px; height: 0px; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QTabBar { background: transparent; qproperty-elideMode: ElideNone; qproperty-expanding: false; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: $muted; font-size: @11; padding: @2 @10 @3 @10; border: none;
    border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $ink; border-bottom: 2px solid $ink; }
QTabBar::tab:hover { color: $ink; }
)";

QString hex(const QColor& c) {
    return c.name(QColor::HexRgb);
}

}  // namespace

QString themeSheet(const Theme& theme) {
    const QHash<QString, QString> colours = {
        {QStringLiteral("page"), hex(theme.page)},
        {QStringLiteral("panel"), hex(theme.panel)},
        {QStringLiteral("hairline"), hex(theme.hairline)},
        {QStringLiteral("inkSoft"), hex(Theme::mix(theme.ink, theme.muted, 0.5))},
        {QStringLiteral("ink"), hex(theme.ink)},
        {QStringLiteral("muted"), hex(theme.muted)},
        {QStringLiteral("track"), hex(theme.track)},
        {QStringLiteral("family"), theme.font(13).family()},
        {QStringLiteral("check"), theme.dark ? QStringLiteral("check-dark") : QStringLiteral("check-light")},
        {QStringLiteral("chevron"), theme.dark ? QStringLiteral("chevron-dark") : QStringLiteral("chevron-light")},
        {QStringLiteral("paper"), hex(theme.textOn(theme.ink))},
    };
    const QString source = QString::fromUtf8(sheet);
    QString out;
    out.reserve(source.size() * 2);
    for (qsizetype i = 0; i < source.size(); ++i) {
        if (source[i] == u'$') {
            qsizetype end = i + 1;
            while (end < source.size() && source[end].isLetter()) ++end;
            out += colours.value(source.mid(i + 1, end - i - 1));
            i = end - 1;
        } else if (source[i] == u'@') {
            qsizetype end = i + 1;
            while (end < source.size() && (source[end].isDigit() || (source[end] == u'.' && source[end + 1].isDigit())))
                ++end;
            const double length = QStringView(source).mid(i + 1, end - i - 1).toDouble();
            out += QString::number(std::max(1, int(std::lround(theme.px(length))))) + QStringLiteral("px");
            i = end - 1;
        } else {
            out += source[i];
        }
    }
    return out;
}

QPalette themePalette(const Theme& theme) {
    QPalette p;
    const QColor paper = theme.textOn(theme.ink);
    p.setColor(QPalette::Window, theme.page);
    p.setColor(QPalette::WindowText, theme.ink);
    p.setColor(QPalette::Base, theme.panel);
    p.setColor(QPalette::AlternateBase, theme.page);
    p.setColor(QPalette::Text, theme.ink);
    p.setColor(QPalette::PlaceholderText, theme.muted);
    p.setColor(QPalette::Button, theme.panel);
    p.setColor(QPalette::ButtonText, theme.ink);
    p.setColor(QPalette::BrightText, theme.ink);
    p.setColor(QPalette::Highlight, theme.ink);
    p.setColor(QPalette::HighlightedText, paper);
    p.setColor(QPalette::ToolTipBase, theme.ink);
    p.setColor(QPalette::ToolTipText, paper);
    p.setColor(QPalette::Link, theme.ink);
    p.setColor(QPalette::Light, theme.hairline);
    p.setColor(QPalette::Midlight, theme.hairline);
    p.setColor(QPalette::Mid, theme.hairline);
    p.setColor(QPalette::Dark, theme.muted);
    p.setColor(QPalette::Shadow, theme.muted);
    for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        p.setColor(QPalette::Disabled, role, theme.muted);
    return p;
}

void setRole(QWidget* widget, const char* role) {
    const QString name = QString::fromLatin1(role);
    if (widget->property("role").toString() == name) return;
    widget->setProperty("role", name);
    if (!widget->testAttribute(Qt::WA_WState_Polished)) return;
    // What stands in it may look otherwise too.
    QList<QWidget*> all = widget->findChildren<QWidget*>();
    for (QWidget* w : all << widget) {
        w->style()->unpolish(w);
        w->style()->polish(w);
    }
}

void scaleLayouts(QWidget* root, double scale) {
    const auto times = [scale](int length) { return int(std::lround(length * scale)); };
    const char* const given = "givenSizes";  // margins, spacings, then the gaps
    for (QLayout* layout : root->findChildren<QLayout*>()) {
        auto* grid = qobject_cast<QGridLayout*>(layout);
        std::vector<QSpacerItem*> gaps;
        for (int i = 0; i < layout->count(); ++i)
            if (QSpacerItem* gap = layout->itemAt(i)->spacerItem(); gap && !gap->sizeHint().isNull())
                gaps.push_back(gap);
        QVariantList sizes = layout->property(given).toList();
        if (sizes.isEmpty()) {
            const QMargins m = layout->contentsMargins();
            sizes = {m.left(),
                     m.top(),
                     m.right(),
                     m.bottom(),
                     grid ? grid->horizontalSpacing() : layout->spacing(),
                     grid ? grid->verticalSpacing() : layout->spacing()};
            for (const QSpacerItem* gap : gaps) sizes << gap->sizeHint();
            layout->setProperty(given, sizes);
        }
        const auto at = [&](int i) { return times(sizes[i].toInt()); };
        layout->setContentsMargins(at(0), at(1), at(2), at(3));
        if (grid) {
            grid->setHorizontalSpacing(at(4));
            grid->setVerticalSpacing(at(5));
        } else {
            layout->setSpacing(at(4));
        }
        for (std::size_t i = 0; i < gaps.size() && 6 + qsizetype(i) < sizes.size(); ++i) {
            const QSize size = sizes[6 + qsizetype(i)].toSize();
            const QSizePolicy policy = gaps[i]->sizePolicy();
            gaps[i]->changeSize(times(size.width()), times(size.height()), policy.horizontalPolicy(),
                                policy.verticalPolicy());
        }
        layout->invalidate();
    }
}

QPixmap iconPixmap(const QString& name, const QColor& colour, int pixels, double ratio) {
    registerResources();
    const int side = int(std::lround(pixels * ratio));
    QImage image(side, side, QImage::Format_ARGB32_Premultiplied);
    image.fill(Qt::transparent);
    QPainter painter(&image);
    painter.setRenderHint(QPainter::Antialiasing);
    QSvgRenderer(QStringLiteral(":/icons/%1.svg").arg(name)).render(&painter);
    painter.setCompositionMode(QPainter::CompositionMode_SourceIn);
    painter.fillRect(image.rect(), colour);
    painter.end();
    image.setDevicePixelRatio(ratio);
    return QPixmap::fromImage(image);
}

QIcon icon(const QString& name, const QColor& colour, int pixels) {
    QIcon result;
    for (const double ratio : {1.0, 2.0}) result.addPixmap(iconPixmap(name, colour, pixels, ratio));
    return result;
}

QIcon programIcon() {
    registerResources();
    return QIcon(QStringLiteral(":/icons/moelab.svg"));
}

bool desktopIsDark() {
    return QGuiApplication::palette().color(QPalette::Window).lightness() < 128;
}

double scaleFor(const QSize& window) {
    const double room = std::min(window.width() / 1280.0, window.height() / 720.0);
    const double scale = 1 + std::max(0.0, room - 1) * 0.7;
    return std::clamp(std::round(scale * 20) / 20, 1.0, 2.5);
}

}  // namespace moe::app
