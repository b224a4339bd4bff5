#include "app/views/operation_view.h"

#include "app/models/operation_numbers.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/views/copied_sign.h"
#include "app/views/role_label.h"

#include <QEvent>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr int margin = 16;

}  // namespace

OperationHead::OperationHead(QWidget* parent) : QWidget(parent) {
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void OperationHead::setPage(const OperationPage* page, const Theme& theme) {
    page_ = page;
    theme_ = theme;
    updateGeometry();
    update();
}

int OperationHead::lay(QPainter* p, int width) const {
    if (!page_ || page_->title.isEmpty()) return 0;
    const auto px = [this](double v) { return theme_.px(v); };
    const QFont title_font = theme_.font(12.5, QFont::DemiBold), shape_font = theme_.font(10.5);
    const QFontMetricsF title(title_font), shape(shape_font);
    double y = 0;
    const double line = std::ceil(title.height());
    const double shapes_width = tabularWidth(shape, page_->shapes) + 1;
    const bool beside = title.horizontalAdvance(page_->title) + px(16) + shapes_width <= width;
    if (p) {
        p->setFont(title_font);
        p->setPen(theme_.ink);
        p->drawText(QRectF(0, y, width, line), Qt::AlignLeft | Qt::AlignVCenter, page_->title);
        p->setFont(shape_font);
        p->setPen(theme_.muted);
        drawTabular(*p, QRectF(0, beside ? y : y + line, width, line),
                    beside ? Qt::AlignRight | Qt::AlignVCenter : Qt::AlignLeft | Qt::AlignVCenter, page_->shapes);
    }
    y += line + (beside ? 0 : line) + px(5);
    // The question, in as many lines as it takes.
    const QFont question_font = theme_.font(12.5);
    const QFontMetricsF question(question_font);
    for (const QString& part : wrapped(question, page_->question, width)) {
        if (p) {
            p->setFont(question_font);
            p->setPen(theme_.muted);
            p->drawText(QRectF(0, y, width, question.height()), Qt::AlignLeft | Qt::AlignVCenter, part);
        }
        y += std::ceil(question.height());
    }
    y += px(6);
    const FormulaText formula(page_->formula), aside(page_->aside);
    const double aside_width = page_->aside.isEmpty() ? 0 : aside.width(theme_, 12.5, QFont::Normal);
    // Long formulas are set a little smaller before they are broken.
    double size = 16;
    while (size > 13 && formula.width(theme_, size, QFont::Medium) + aside_width + px(16) > width) size -= 1;
    const double room = formula.width(theme_, size, QFont::Medium) + aside_width + px(16) <= width
                            ? width - aside_width - px(16)
                            : width;
    const double height = formula.height(theme_, size, QFont::Medium, room);
    if (p) {
        formula.draw(*p, theme_, QRectF(0, y, room, height), size, QFont::Medium, theme_.ink);
        if (aside_width > 0 && room < width)
            aside.draw(
                *p, theme_,
                QRectF(width - aside_width - 1, y + (height - theme_.px(12.5) * 1.45) / 2, aside_width + 1, height),
                12.5, QFont::Normal, theme_.muted);
    }
    y += height;
    if (aside_width > 0 && room >= width) {
        if (p) aside.draw(*p, theme_, QRectF(0, y, width, px(20)), 12.5, QFont::Normal, theme_.muted);
        y += aside.height(theme_, 12.5, QFont::Normal, width);
    }
    for (const QString& markup : page_->worked) {
        const FormulaText worked(markup);
        if (p) worked.draw(*p, theme_, QRectF(0, y, width, 1e4), 12.5, QFont::Normal, theme_.ink);
        y += worked.height(theme_, 12.5, QFont::Normal, width);
    }
    return int(std::ceil(y + px(3)));
}

void OperationHead::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    lay(&painter, width());
}

OperationView::OperationView(QWidget* parent) : QFrame(parent) {
    setAccessibleName(tr("Operation"));
    head_ = new OperationHead(this);
    table_ = new OperationTable(nullptr);
    scroll_ = new QScrollArea(this);
    scroll_->setFrameShape(QFrame::NoFrame);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->viewport()->setAutoFillBackground(false);
    scroll_->setFocusPolicy(Qt::TabFocus);
    scroll_->setAccessibleName(tr("Values of the operation"));
    scroll_->setWidget(table_);
    table_->setAutoFillBackground(false);
    connect(table_, &OperationTable::numberPicked, this, &OperationView::numberPicked);
    const auto label = [this](const char* role) { return roleLabel(role, this); };
    notice_ = label("label");
    keras_ = label("caption");
    keras_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    sentence_ = label("body");
    sentence_->setAlignment(Qt::AlignCenter);
    const auto link = [this](const QString& text, const QString& tip) {
        auto* b = new QPushButton(text, this);
        b->setProperty("role", QStringLiteral("link"));
        b->setToolTip(tip);
        b->setFocusPolicy(Qt::TabFocus);
        return b;
    };
    copy_ = link(tr("Copy values"),
                 tr("Copies the formula and all values of this operation as text with tabs, for a table"));
    copy_keras_ = link(tr("Copy Keras line"), tr("Copies the line of Keras that does the same"));
    connect(copy_, &QPushButton::clicked, this,
            [this] { moe::app::copyText(copyText(), *copy_, tr("Copied"), theme_); });
    connect(copy_keras_, &QPushButton::clicked, this,
            [this] { moe::app::copyText(page_.keras, *copy_keras_, tr("Copied"), theme_); });
    for (QWidget* w : parts()) w->hide();
    sentence_->hide();
}

std::array<QWidget*, 6> OperationView::parts() const {
    return {head_, scroll_, notice_, copy_, copy_keras_, keras_};
}

QSize OperationView::sizeHint() const {
    return {int(theme_.px(624)), int(theme_.px(320))};
}

QSize OperationView::minimumSizeHint() const {
    return {int(theme_.px(420)), int(theme_.px(250))};
}

void OperationView::setTheme(const Theme& theme) {
    theme_ = theme;
    refresh();
}

void OperationView::showOperation(std::shared_ptr<const Trace> trace, std::size_t op, std::size_t example,
                                  std::shared_ptr<const std::vector<QString>> words) {
    const bool other = trace != trace_ || op != op_ || example != example_;
    if (trace != trace_ || example != example_) token_.reset();
    trace_ = std::move(trace);
    op_ = op, example_ = example;
    words_ = std::move(words);
    if (other) picked_.reset();
    sentence_->hide();
    for (QWidget* w : parts()) w->show();
    refresh();
    if (other) scroll_->ensureVisible(0, 0);
}

void OperationView::showSentence(const QString& sentence) {
    trace_.reset();
    for (QWidget* w : parts()) w->hide();
    sentence_->setText(sentence);
    sentence_->show();
}

void OperationView::setPicked(const std::optional<NumberRef>& ref) {
    picked_ = ref;
    if (trace_ && example_ < trace_->examples) token_ = followedToken(*trace_, example_, picked_, token_);
    refresh();
}

QString OperationView::copyText() const {
    return pageAsText(page_, *words_);
}

void OperationView::refresh() {
    if (!trace_ || op_ >= trace_->ops.size() || example_ >= trace_->examples) return;
    page_ = operationPage(*trace_, op_, example_, *words_, picked_, token_);
    head_->setPage(&page_, theme_);
    table_->setPage(&page_, words_, theme_);
    notice_->setText(page_.notice);
    keras_->setText(page_.keras);
    QStringList said{page_.title, page_.question};
    for (const QString& line : page_.worked) said << FormulaText(line).plain();
    setAccessibleDescription(said.join(QStringLiteral(". ")));
    arrange();
    update();
}

// By hand: what stands above and below takes the height that its lines need, the values the rest.
void OperationView::arrange() {
    const auto px = [this](double v) { return int(std::lround(theme_.px(v))); };
    const int left = px(margin), width = this->width() - 2 * left;
    sentence_->setGeometry(left, left, width, height() - 2 * left);
    if (!trace_ || width <= 0) return;
    const int head = head_->heightForWidth(width);
    head_->setGeometry(left, px(12), width, head);
    const QSize first = copy_->sizeHint(), second = copy_keras_->sizeHint();
    const int beside = left + first.width() + second.width() + px(28);
    const int keras_width = left + width - beside, keras = keras_->heightForWidth(keras_width);
    const int links = std::max(first.height(), keras), links_top = height() - px(9) - links;
    copy_->setGeometry(QRect(QPoint(left, links_top), first));
    copy_keras_->setGeometry(QRect(QPoint(left + first.width() + px(14), links_top), second));
    keras_->setGeometry(beside, links_top + std::max(0, (first.height() - keras) / 2), keras_width, keras);
    const int notice = notice_->heightForWidth(width), notice_top = links_top - px(3) - notice;
    notice_->setGeometry(left, notice_top, width, notice);
    const int top = px(12) + head + px(3);
    scroll_->setGeometry(left, top, width, std::max(px(40), notice_top - px(4) - top));
    // The bar takes its room before it is there.
    table_->arrange(scroll_->width(), scroll_->height());
    if (table_->height() > scroll_->height())
        table_->arrange(scroll_->width() - scroll_->verticalScrollBar()->sizeHint().width() - px(4), scroll_->height());
}

void OperationView::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    arrange();
}

bool OperationView::event(QEvent* event) {
    const bool done = QFrame::event(event);
    if (event->type() == QEvent::LayoutRequest) arrange();
    return done;
}

void OperationView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme_.hairline, 1));
    painter.setBrush(theme_.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme_.px(10), theme_.px(10));
}

}  // namespace moe::app
