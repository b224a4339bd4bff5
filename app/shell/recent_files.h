#pragma once
#include <QObject>
#include <QString>
#include <QStringList>

class QMenu;
class QSettings;

namespace moe::app {

/// The files that were opened or saved last, the newest first, at most ten; shared by all windows. GUI thread.
class RecentFiles : public QObject {
    Q_OBJECT

public:
    static constexpr int most = 10;

    /// `settings` may be null: then the list lasts as long as this. The menu is filled when it is looked at.
    RecentFiles(QSettings* settings, QMenu* menu, QObject* parent);

    void add(const QString& file);
    void remove(const QString& file);
    QStringList files() const;

Q_SIGNALS:
    void chosen(const QString& file);

private:
    void fill();
    void keep(const QStringList& files);

    QSettings* settings_;
    QMenu* menu_;
    QStringList own_;  // without settings
};

}  // namespace moe::app
