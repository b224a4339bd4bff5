#pragma once
#include "app/shell/background.h"

#include <QObject>
#include <QString>
#include <QStringList>

#include <functional>
#include <memory>
#include <vector>

class QMenu;
class QSettings;

namespace moe::app {

/// The files that were opened or saved last, the newest first, at most ten; shared by all windows. GUI thread; what is
/// kept of them is read and written on another one.
class RecentFiles : public QObject {
    Q_OBJECT

public:
    static constexpr int most = 10;

    /// `settings` may be null: then the list lasts as long as this. The menu is filled when it is looked at.
    RecentFiles(QSettings* settings, QMenu* menu, QObject* parent);
    ~RecentFiles() override;  // waits until the last change is kept

    void add(const QString& file);
    void remove(const QString& file);
    /// As known by now; what other windows add is there after the menu was looked at.
    QStringList files() const { return files_; }

Q_SIGNALS:
    void chosen(const QString& file);

private:
    using Change = std::function<void(QStringList&)>;

    void fill();
    void apply(const Change& change);
    void keep();

    QString store_;  // the settings' file; empty: none
    int format_ = 0;
    QMenu* menu_;
    QStringList files_;
    std::vector<Change> changes_;  // that are not kept yet
    bool keeping_ = false, asked_ = false;
    std::unique_ptr<Background> background_ = std::make_unique<Background>();
};

}  // namespace moe::app
