#pragma once
#include "app/models/theme.h"

#include <QIcon>
#include <QPalette>
#include <QString>

class QWidget;

namespace moe::app {

/// Of the column on the left, before scale.
inline constexpr double column_width = 244;

/// The window's one style sheet, made from the theme. Widgets say what they are by the property "role":
///   labels: question, body, label, caption, heading, figure, error; buttons: primary, quiet, option, icon, play, link,
///   chip; surfaces: bar, column, card, notice, alarm.
QString themeSheet(const Theme& theme);

/// The same colours for what a style sheet does not reach.
QPalette themePalette(const Theme& theme);

/// Sets a widget's role and has its style taken anew.
void setRole(QWidget* widget, const char* role);

/// Margins, spacings and fixed gaps of every layout below `root`, as they were first given, times `scale`.
void scaleLayouts(QWidget* root, double scale);

/// resources/icons/NAME.svg in one colour.
QIcon icon(const QString& name, const QColor& colour, int pixels);
QPixmap iconPixmap(const QString& name, const QColor& colour, int pixels, double ratio);

/// The window's and the task bar's.
QIcon programIcon();

/// Whether the desktop's own palette is dark: Qt 6.4 cannot be asked for the colour scheme.
bool desktopIsDark();

/// Larger windows get larger type: 1 at 1280x720, about 1.35 at 1920x1080, in steps of 0.05.
double scaleFor(const QSize& window);

}  // namespace moe::app
