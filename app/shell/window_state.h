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
    QString device = QStringLiteral("auto");  // that was chosen: "auto", "cpu", "cuda"

    /// `settings` may be null: then these are the defaults, and nothing is kept.
    static WindowState read(QSettings* settings);
    /// With `before`: only what differs from it, for other windows write, too.
    void write(QSettings* settings, const WindowState* before = nullptr) const;

    bool operator==(const WindowState&) const = default;
};

/// The largest size up to `size` that has room in `room` with a frame that adds `frame` to it.
QSize fittedSize(const QSize& size, const QSize& frame, const QSize& room);

}  // namespace moe::app
