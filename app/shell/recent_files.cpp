#include "app/shell/recent_files.h"

#include "app/models/text_format.h"

#include <QDir>
#include <QFileInfo>
#include <QMenu>
#include <QSettings>

#include <utility>

namespace moe::app {

namespace {

QString key() {
    return QStringLiteral("recent_files");
}

/// The list in the settings' file, after `changes`.
QStringList keptIn(const QString& store, int format, const std::vector<std::function<void(QStringList&)>>& changes) {
    QSettings settings(store, QSettings::Format(format));
    settings.sync();  // other windows add to it
    QStringList files = settings.value(key()).toStringList();
    files.removeDuplicates();
    files = files.mid(0, RecentFiles::most);
    for (const auto& change : changes) change(files);
    if (!changes.empty()) {
        settings.setValue(key(), files);
        settings.sync();
    }
    return files;
}

/// The folder as people write it.
QString folderOf(const QString& file) {
    QString folder = QFileInfo(file).path();
    const QString home = QDir::homePath();
    if (home.size() > 1 && (folder == home || folder.startsWith(home + u'/'))) folder.replace(0, home.size(), u'~');
    return folder;
}

}  // namespace

RecentFiles::RecentFiles(QSettings* settings, QMenu* menu, QObject* parent) : QObject(parent), menu_(menu) {
    if (settings) {
        store_ = settings->fileName();
        format_ = settings->format();
    }
    connect(menu_, &QMenu::aboutToShow, this, [this] {
        fill();
        asked_ = true;
        keep();
    });
    menu_->setToolTipsVisible(true);
    fill();
    asked_ = true;
    keep();
}

RecentFiles::~RecentFiles() {
    background_.reset();  // what is under way comes first
    if (changes_.empty() || store_.isEmpty()) return;
    Background().run(
        [this]() -> Background::Finish {
            keptIn(store_, format_, changes_);
            return {};
        },
        [](const QString&) {});
}

void RecentFiles::apply(const Change& change) {
    change(files_);
    changes_.push_back(change);
    keep();
}

// One at a time, so that what was used last stays first; what is asked for meanwhile follows.
void RecentFiles::keep() {
    if (store_.isEmpty()) return changes_.clear();
    if (keeping_ || (changes_.empty() && !asked_)) return;
    keeping_ = true;
    asked_ = false;
    background_->run(
        [this, store = store_, format = format_, changes = std::exchange(changes_, {})]() -> Background::Finish {
            const QStringList files = keptIn(store, format, changes);
            return [this, files] {
                keeping_ = false;
                const QStringList before = std::exchange(files_, files);
                for (const Change& change : changes_) change(files_);
                if (menu_->isVisible() && files_ != before) fill();
                keep();
            };
        },
        [this](const QString&) {  // a list that cannot be kept lasts as long as the window
            keeping_ = false;
            keep();
        });
}

void RecentFiles::add(const QString& file) {
    apply([file](QStringList& files) {
        files.removeAll(file);
        files.prepend(file);
        files = files.mid(0, most);
    });
}

void RecentFiles::remove(const QString& file) {
    apply([file](QStringList& files) { files.removeAll(file); });
}

void RecentFiles::fill() {
    menu_->clear();
    for (const QString& file : files_) {
        QString text = QStringLiteral("%1   %2").arg(QFileInfo(file).fileName(), folderOf(file));
        QAction* a = menu_->addAction(
            menu_->fontMetrics().elidedText(text.replace(u'&', QStringLiteral("&&")), Qt::ElideMiddle, 480));
        a->setToolTip(tipText(file));
        connect(a, &QAction::triggered, this, [this, file] { Q_EMIT chosen(file); });
    }
    if (files_.isEmpty()) {
        menu_->addAction(tr("No files yet"))->setEnabled(false);
    } else {
        menu_->addSeparator();
        connect(menu_->addAction(tr("Clear list")), &QAction::triggered, this,
                [this] { apply([](QStringList& files) { files.clear(); }); });
    }
}

}  // namespace moe::app
