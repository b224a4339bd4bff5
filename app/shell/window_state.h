#pragma once
#include <QByteArray>
#include <QSize>
#include <QString>

class QSettings;

namespace moe::app {

enum class ThemeChoice { system, light, dark };

/// What a window remembers from one time to the next.
struct WindowState {
    QSize size{1280, 720};
    bool maximized = false;
    QByteArray arrangement;  // empty: the default one
    ThemeChoice theme = ThemeChoice::system;
    bool reduced_motion = false;
    QString lesson;  // id of the last one

    /// `settings` may be null: then these are the defaults, and nothing is kept.
    static WindowState read(QSettings* settings);
    void write(QSettings* settings) const;

    bool operator==(const WindowState&) const = default;
};

}  // namespace moe::app
