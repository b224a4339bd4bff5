#include "app/shell/recent_files.h"

#include "app/models/text_format.h"

#include <QDir>
#include <QFileInfo>
#include <QMenu>
#include <QSettings>

namespace moe::app {

namespace {

QString key() {
    return QStringLiteral("recent_files");
}

/// The folder as people write it.
QString folderOf(const QString& file) {
    QString folder = QFileInfo(file).path();
    const QString home = QDir::homePath();
    if (home.size() > 1 && (folder == home || folder.startsWith(home + u'/'))) folder.replace(0, home.size(), u'~');
    return folder;
}

}  // namespace

RecentFiles::RecentFiles(QSettings* settings, QMenu* menu, QObject* parent)
    : QObject(parent), settings_(settings), menu_(menu) {
    connect(menu_, &QMenu::aboutToShow, this, &RecentFiles::fill);
    menu_->setToolTipsVisible(true);
    fill();
}

QStringList RecentFiles::files() const {
    QStringList files = own_;
    if (settings_) {
        settings_->sync();  // other windows add to it
        files = settings_->value(key()).toStringList();
    }
    files.removeDuplicates();
    return files.mid(0, most);
}

void RecentFiles::keep(const QStringList& files) {
    own_ = files.mid(0, most);
    if (!settings_) return;
    settings_->setValue(key(), own_);
    settings_->sync();
}

void RecentFiles::add(const QString& file) {
    QStringList all = files();
    all.removeAll(file);
    all.prepend(file);
    keep(all);
}

void RecentFiles::remove(const QString& file) {
    QStringList all = files();
    all.removeAll(file);
    keep(all);
}

void RecentFiles::fill() {
    menu_->clear();
    const QStringList all = files();
    for (const QString& file : all) {
        QString text = QStringLiteral("%1   %2").arg(QFileInfo(file).fileName(), folderOf(file));
        QAction* a = menu_->addAction(
            menu_->fontMetrics().elidedText(text.replace(u'&', QStringLiteral("&&")), Qt::ElideMiddle, 480));
        a->setToolTip(tipText(file));
        connect(a, &QAction::triggered, this, [this, file] { Q_EMIT chosen(file); });
    }
    if (all.isEmpty()) {
        menu_->addAction(tr("No files yet"))->setEnabled(false);
    } else {
        menu_->addSeparator();
        connect(menu_->addAction(tr("Clear list")), &QAction::triggered, this, [this] { keep({}); });
    }
}

}  // namespace moe::app
