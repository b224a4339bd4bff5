#include "app/shell/recovery.h"

#include "app/models/text_format.h"
#include "app/shell/model_actions.h"

#include <QDateTime>
#include <QLocale>

namespace moe::app {

Recovery::Recovery(ModelActions& models, Autosaver& autosaver, Notice& notice, std::filesystem::path root,
                   QObject* parent)
    : QObject(parent),
      models_(models),
      autosaver_(autosaver),
      notice_(notice),
      root_(std::move(root)),
      background_(std::make_unique<Background>()) {
    // Another notice may have covered the offer.
    connect(&notice_, &Notice::closed, this, &Recovery::offer, Qt::QueuedConnection);
}

void Recovery::look() {
    if (root_.empty()) return;
    background_->run(
        [this, root = root_]() -> Background::Finish {
            auto found = std::make_shared<std::vector<Leftover>>(find_leftovers(root));
            return [this, found] {
                leftovers_ = std::move(*found);
                offer();
            };
        },
        [](const QString&) {});  // a folder that cannot be read has nothing to offer
}

QString Recovery::sentence() const {
    const SessionSummary& s = leftovers_.front().summary;
    const QString& problem = QString::fromStdString(leftovers_.front().problem);
    if (!problem.isEmpty()) return tr("A session that was not saved cannot be restored. %1").arg(problem);
    const QDateTime at = QDateTime::fromSecsSinceEpoch(s.saved_at);
    const bool today = at.date() == QDate::currentDate();
    const QString when =
        QLocale::c().toString(at, today ? QStringLiteral("hh:mm") : QStringLiteral("d MMM yyyy, hh:mm"));
    QString text = tr("“%1” was not saved when MoE Lab ended. Kept at %2: %3 steps, %4 epochs.")
                       .arg(shownText(QString::fromStdString(s.title)), when, countText(s.step), countText(s.epoch));
    if (const std::size_t others = leftovers_.size() - 1; others == 1)
        text += u' ' + tr("Another session is offered after this one.");
    else if (others > 1)
        text += u' ' + tr("%1 other sessions are offered after this one.").arg(countText(others));
    return text;
}

void Recovery::offer() {
    if (leftovers_.empty() || restoring_ || notice_.kind() != Notice::Kind::none) return;
    std::vector<Notice::Button> buttons;
    if (leftovers_.front().problem.empty()) buttons.push_back({tr("Restore"), [this] { restore(); }});
    buttons.push_back({tr("Discard"), [this] { askToDiscard(); }});
    // Unlocked again, so that the next window offers them.
    buttons.push_back({tr("Later"), [this] { leftovers_.clear(); }});
    notice_.tell(Notice::Kind::offered, sentence(), std::move(buttons));
}

void Recovery::askToDiscard() {
    const QString title = shownText(QString::fromStdString(leftovers_.front().summary.title));
    notice_.tell(Notice::Kind::offered,
                 leftovers_.front().problem.empty()
                     ? tr("Discard “%1” for good? It was not saved and cannot be brought back.").arg(title)
                     : tr("Discard the session that cannot be restored? It cannot be brought back."),
                 {{tr("Keep"), {}}, {tr("Discard for good"), [this] { discard(); }}});
}

void Recovery::restore() {
    models_.beforeLeaving([this] {
        if (restoring_ || leftovers_.empty()) return;
        notice_.withdraw(Notice::Kind::offered);
        restoring_ = true;
        models_.restore(leftovers_.front().slot->file(), [this](const QString& error) {
            restoring_ = false;
            if (error.isEmpty()) {
                // Only now is it this window's own; until then it lay untouched.
                autosaver_.adopt(std::move(leftovers_.front().slot));
                leftovers_.erase(leftovers_.begin());
            }
            offer();
        });
    });
    offer();  // still there while the question before it is not answered
}

void Recovery::discard() {
    const std::shared_ptr<AutosaveSlot> slot = std::move(leftovers_.front().slot);
    leftovers_.erase(leftovers_.begin());
    background_->run(
        [slot]() -> Background::Finish {
            slot->remove();
            return {};
        },
        [](const QString&) {});
    offer();
}

}  // namespace moe::app
