#include "app/shell/window_state.h"

#include <QSettings>

#include <algorithm>

namespace moe::app {

namespace {

QString nameOf(ThemeChoice choice) {
    switch (choice) {
        case ThemeChoice::light:
            return QStringLiteral("light");
        case ThemeChoice::dark:
            return QStringLiteral("dark");
        case ThemeChoice::system:
            break;
    }
    return QStringLiteral("system");
}

}  // namespace

WindowState WindowState::read(QSettings* settings) {
    WindowState state;
    if (!settings) return state;
    const QSize size = settings->value(QStringLiteral("window/size")).toSize();
    if (size.width() >= 640 && size.height() >= 360 && size.width() <= 16384 && size.height() <= 16384)
        state.size = size;
    state.maximized = settings->value(QStringLiteral("window/maximized")).toBool();
    state.arrangement = settings->value(QStringLiteral("window/arrangement")).toByteArray();
    state.reduced_motion = settings->value(QStringLiteral("reduced_motion")).toBool();
    state.lesson = settings->value(QStringLiteral("lesson")).toString();
    const QString device = settings->value(QStringLiteral("device")).toString();
    if (device == QLatin1String("cpu") || device == QLatin1String("cuda")) state.device = device;
    const QString theme = settings->value(QStringLiteral("theme")).toString();
    for (const ThemeChoice choice : {ThemeChoice::light, ThemeChoice::dark})
        if (theme == nameOf(choice)) state.theme = choice;
    return state;
}

void WindowState::write(QSettings* settings, const WindowState* before) const {
    if (!settings) return;
    const auto put = [&](const char* key, const auto& value, bool changed) {
        if (!before || changed) settings->setValue(QLatin1String(key), value);
    };
    const WindowState none, &was = before ? *before : none;
    put("window/size", size, size != was.size);
    put("window/maximized", maximized, maximized != was.maximized);
    put("window/arrangement", arrangement, arrangement != was.arrangement);
    put("reduced_motion", reduced_motion, reduced_motion != was.reduced_motion);
    put("lesson", lesson, lesson != was.lesson);
    put("device", device, device != was.device);
    put("theme", nameOf(theme), theme != was.theme);
    settings->sync();
}

QSize fittedSize(const QSize& size, const QSize& frame, const QSize& room) {
    return size.boundedTo((room - frame).expandedTo({1, 1}));
}

}  // namespace moe::app
