#include "app/shell/notice.h"

#include "app/shell/style.h"

#include <QAccessible>
#include <QApplication>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace moe::app {

namespace {

constexpr int shown_milliseconds = 4000;  // of what is merely told
constexpr int soon_done = 300;            // milliseconds of work that need no word

}  // namespace

Notice::Notice(QWidget* parent) : QWidget(parent) {
    card_ = new QFrame(this);
    setRole(card_, "notice");
    text_ = new QLabel(card_);
    text_->setTextFormat(Qt::PlainText);
    text_->setWordWrap(true);
    setRole(text_, "label");
    progress_ = new QProgressBar(card_);
    progress_->setRange(0, 0);
    progress_->setTextVisible(false);
    progress_->setFixedWidth(160);
    auto* row = new QHBoxLayout(card_);
    row->setContentsMargins(16, 10, 12, 10);
    row->setSpacing(16);
    row->addWidget(text_, 1);
    row->addWidget(progress_);
    buttons_ = new QHBoxLayout;
    buttons_->setSpacing(8);
    row->addLayout(buttons_);
    auto* room = new QVBoxLayout(this);
    room->addWidget(card_);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    begun_.setSingleShot(true);
    begun_.setInterval(soon_done);
    connect(&begun_, &QTimer::timeout, this, [this] {
        // What waits for an answer is not covered by what goes on of its own.
        if (kind_ != Kind::refused && kind_ != Kind::failed && kind_ != Kind::offered && kind_ != Kind::moved)
            say(Kind::working, work_, {});
    });
    hide();
}

void Notice::setTheme(const Theme& theme) {
    // As much room as the panels below it have.
    const int side = int(theme.px(16));
    layout()->setContentsMargins(side, side, side, 0);
}

QString Notice::text() const {
    return text_->text();
}

void Notice::tell(Kind kind, const QString& text, std::vector<Button> buttons) {
    if (kind != Kind::working || kind_ == Kind::working) return say(kind, text, std::move(buttons));
    work_ = text;
    begun_.start();
}

void Notice::say(Kind kind, const QString& text, std::vector<Button> buttons) {
    if (kind == Kind::working) begun_.stop();
    kind_ = kind;
    const bool keys = isAncestorOf(QApplication::focusWidget());
    const bool alarm = kind == Kind::failed || kind == Kind::refused || kind == Kind::moved;
    setRole(card_, alarm ? "alarm" : "notice");
    text_->setText(text);
    setAccessibleName(text);
    progress_->setVisible(kind == Kind::working);
    while (QLayoutItem* item = buttons_->takeAt(0)) {
        if (item->widget()) {
            item->widget()->hide();
            item->widget()->deleteLater();
        }
        delete item;
    }
    if (kind == Kind::refused && buttons.empty()) buttons.push_back({tr("Close"), {}});
    for (Button& b : buttons) {
        auto* button = new QPushButton(b.text, card_);
        button->setFocusPolicy(Qt::TabFocus);
        connect(button, &QPushButton::clicked, this, [this, kind, press = std::move(b.press)] {
            withdraw(kind);
            if (press) press();
        });
        buttons_->addWidget(button);
        button->show();  // at once: the card is measured with it, also where it is on the screen already
    }
    show();
    updateGeometry();
    if (alarm) {  // said aloud at once
        QAccessibleEvent aloud(this, QAccessible::Alert);
        QAccessible::updateAccessibility(&aloud);
    }
    if (keys) Q_EMIT keysLeft();
    if (kind == Kind::told) QTimer::singleShot(shown_milliseconds, this, [this] { withdraw(Kind::told); });
}

void Notice::withdraw(Kind kind) {
    if (kind == Kind::working) begun_.stop();
    if (kind_ != kind) return;
    kind_ = Kind::none;
    const bool keys = isAncestorOf(QApplication::focusWidget());
    hide();
    if (keys) Q_EMIT keysLeft();
    Q_EMIT closed();
}

}  // namespace moe::app
