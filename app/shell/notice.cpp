#include "app/shell/notice.h"

#include "app/shell/style.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QTimer>

#include <algorithm>

namespace moe::app {

namespace {

constexpr int shown_milliseconds = 4000;  // of what is merely told

}  // namespace

Notice::Notice(QWidget* parent) : QFrame(parent) {
    setRole(this, "notice");
    text_ = new QLabel(this);
    text_->setTextFormat(Qt::PlainText);
    text_->setWordWrap(true);
    setRole(text_, "label");
    progress_ = new QProgressBar(this);
    progress_->setRange(0, 0);
    progress_->setTextVisible(false);
    progress_->setFixedWidth(160);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(16, 10, 12, 10);
    row->setSpacing(16);
    row->addWidget(text_, 1);
    row->addWidget(progress_);
    buttons_ = new QHBoxLayout;
    buttons_->setSpacing(8);
    row->addLayout(buttons_);
    parent->installEventFilter(this);
    hide();
}

QString Notice::text() const {
    return text_->text();
}

void Notice::tell(Kind kind, const QString& text, std::vector<Button> buttons) {
    kind_ = kind;
    setRole(this, kind == Kind::failed || kind == Kind::refused ? "alarm" : "notice");
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
        auto* button = new QPushButton(b.text, this);
        button->setFocusPolicy(Qt::TabFocus);
        connect(button, &QPushButton::clicked, this, [this, kind, press = std::move(b.press)] {
            withdraw(kind);
            if (press) press();
        });
        buttons_->addWidget(button);
        button->show();  // at once: the card is measured with it, also where it is on the screen already
    }
    show();
    place();
    if (kind == Kind::told) QTimer::singleShot(shown_milliseconds, this, [this] { withdraw(Kind::told); });
}

void Notice::place() {
    const QWidget* over = parentWidget();
    const int margin = 24, w = std::max(120, over->width() - 2 * margin);
    const int h = layout()->hasHeightForWidth() ? layout()->totalHeightForWidth(w) : sizeHint().height();
    setGeometry(margin, margin, w, h);
    raise();
}

bool Notice::eventFilter(QObject* watched, QEvent* event) {
    if (watched == parentWidget() && event->type() == QEvent::Resize && isVisible()) place();
    return QFrame::eventFilter(watched, event);
}

void Notice::withdraw(Kind kind) {
    if (kind_ != kind) return;
    kind_ = Kind::none;
    hide();
    Q_EMIT closed();
}

}  // namespace moe::app
