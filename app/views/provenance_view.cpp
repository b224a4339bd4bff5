#include "app/views/provenance_view.h"

#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/views/copied_sign.h"
#include "engine/core/numbers.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr std::size_t npos = std::size_t(-1);
constexpr double name_size = 14, line_size = 12.5, small_size = 11, keras_size = 10.5;
constexpr double pad = 12, below_height = 36, gap = 12, row_height = 19;
constexpr std::size_t first_terms = 5, more_terms = 40;

}  // namespace

ProvenanceBody::ProvenanceBody(QWidget* parent) : QWidget(parent), hovered_(npos) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
}

void ProvenanceBody::setContent(std::vector<ProvenanceCard> chain, const Theme& theme) {
    chain_ = std::move(chain);
    theme_ = theme;
    hovered_ = npos;
    layout(width(), nullptr);
    current_ = std::min(current_, links_.empty() ? 0 : links_.size() - 1);
    update();
}

int ProvenanceBody::heightFor(int width) const {
    return int(std::ceil(layout(width, nullptr)));
}

void ProvenanceBody::label(QPainter* painter, const QRectF& place, Qt::Alignment alignment, const QString& text) const {
    if (painter) labels_.draw(*painter, place, alignment, text);
}

double ProvenanceBody::layout(double width, QPainter* painter) const {
    labels_.clear();
    links_.clear();
    double y = 1;
    for (std::size_t i = 0; i < chain_.size(); ++i) {
        if (i > 0) {
            if (painter) {
                painter->setPen(QPen(theme_.muted, 1));
                const double x = theme_.px(pad + 6);
                painter->drawLine(QPointF(x, y), QPointF(x, y + theme_.px(gap)));
            }
            y += theme_.px(gap);
        }
        y = i == 0 ? layoutTop(chain_[i], y, width, painter) : layoutBelow(chain_[i], y, width, painter);
    }
    return y + 1;
}

// Symbol, the expert's mark and letter, and what is left of the line for the rest of the name.
double ProvenanceBody::nameAt(const NumberName& name, double x, double y, double row, double right, double size,
                              QPainter* painter) const {
    const QFont strong = theme_.font(size, QFont::DemiBold), plain = theme_.font(small_size);
    const QFontMetricsF bold(strong), thin(plain);
    if (painter) {
        painter->setFont(strong);
        painter->setPen(theme_.ink);
    }
    const QString letter = !name.expert  ? QString()
                           : name.marked ? expertName(*name.expert)
                                         : tr("expert %1").arg(expertName(*name.expert));
    const double mark = name.expert && name.marked ? theme_.px(9) : 0;
    const double after = name.expert ? tabularWidth(bold, letter) + mark + theme_.px(16) : 0;
    const QString symbol = elided(bold, name.symbol, right - x - after);
    label(painter, {x, y, right - x, row}, Qt::AlignLeft | Qt::AlignVCenter, symbol);
    x += tabularWidth(bold, symbol) + theme_.px(6);
    if (name.expert) {
        if (painter && name.marked)
            painter->fillPath(expertShape(*name.expert, {x + mark / 2, y + row / 2}, mark),
                              theme_.expert(*name.expert));
        if (name.marked) x += mark + theme_.px(4);
        label(painter, {x, y, bold.horizontalAdvance(letter), row}, Qt::AlignLeft | Qt::AlignVCenter, letter);
        x += tabularWidth(bold, letter) + theme_.px(6);
    }
    if (!name.detail.isEmpty() && x + theme_.px(20) < right) {
        if (painter) {
            painter->setFont(plain);
            painter->setPen(theme_.muted);
        }
        const QString detail = elided(thin, name.detail, right - x);
        label(painter, {x, y, right - x, row}, Qt::AlignLeft | Qt::AlignVCenter, detail);
        x += tabularWidth(thin, detail) + theme_.px(6);
    }
    return x;
}

double ProvenanceBody::widthOf(const std::vector<ProvenancePart>& parts) const {
    const QFontMetricsF metrics(theme_.font(line_size));
    double width = 0;
    for (const ProvenancePart& part : parts) width += tabularWidth(metrics, part.text);
    return width;
}

// Returns the line's bottom; goes on in a second line where one is not enough.
double ProvenanceBody::layoutParts(const std::vector<ProvenancePart>& parts, double x, double y, double right,
                                   QPainter* painter) const {
    const QFont font = theme_.font(line_size);
    const QFontMetricsF metrics(font);
    const double left = x, row = theme_.px(row_height);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const ProvenancePart& part = parts[i];
        const double wide = tabularWidth(metrics, part.text);
        // A bracket that closes does not stand alone.
        const bool closed = i + 1 < parts.size() && parts[i + 1].text.trimmed() == QStringLiteral(")");
        const double with = closed ? wide + tabularWidth(metrics, parts[i + 1].text) : wide;
        if (x > left && x + with > right) x = left + theme_.px(10), y += row;
        const QRectF place(x, y, wide, row);
        if (part.link) links_.push_back({place, part.link, {}});
        if (painter) {
            painter->setFont(font);
            painter->setPen(part.link ? theme_.ink : theme_.muted);
            labels_.draw(*painter, place, Qt::AlignLeft | Qt::AlignVCenter, part.text);
            if (part.link) {
                const std::size_t index = links_.size() - 1;
                const bool on = index == hovered_ || (index == current_ && hasFocus());
                painter->setPen(QPen(on ? theme_.ink : theme_.muted, on ? 1.5 : 0.7));
                painter->drawLine(QPointF(x, y + row - theme_.px(2.5)), QPointF(x + wide, y + row - theme_.px(2.5)));
            }
        }
        x += wide;
    }
    return y + row;
}

double ProvenanceBody::layoutTop(const ProvenanceCard& card, double y, double width, QPainter* painter) const {
    const double left = theme_.px(pad), right = width - theme_.px(pad), row = theme_.px(row_height);
    const QFontMetricsF strong(theme_.font(name_size, QFont::DemiBold)), small(theme_.font(small_size)),
        keras(theme_.font(keras_size));
    if (painter) {
        // The background first: its height is that of what follows.
        LabelBook kept = labels_;
        const std::vector<Link> links = links_;
        const double bottom = layoutTop(card, y, width, nullptr);
        labels_ = std::move(kept);
        links_ = links;
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme_.page);
        painter->drawRoundedRect(QRectF(0, y, width, bottom - y), theme_.px(8), theme_.px(8));
    }
    y += theme_.px(8);
    const double head = theme_.px(24), value = tabularWidth(strong, card.shown);
    nameAt(card.name, left, y, head, right - value - theme_.px(8), name_size, painter);
    if (painter) {
        painter->setFont(theme_.font(name_size, QFont::DemiBold));
        painter->setPen(theme_.ink);
    }
    label(painter, {right - value, y, value, head}, Qt::AlignRight | Qt::AlignVCenter, card.shown);
    y += head;
    const auto lines = [&](const QString& text, const QFont& font, const QFontMetricsF& metrics) {
        for (const QString& line : wrapped(metrics, text, right - left)) {
            if (painter) {
                painter->setFont(font);
                painter->setPen(theme_.muted);
            }
            label(painter, {left, y, right - left, metrics.height()}, Qt::AlignLeft | Qt::AlignVCenter,
                  elided(metrics, line, right - left));
            y += metrics.height();
        }
    };
    const double first_line = y;
    if (!card.formula.isEmpty()) lines(QStringLiteral("= ") + card.formula, theme_.font(small_size), small);
    // Whose number it is stands at the end of that line where there is room; it is in the tooltip too.
    const double formula = tabularWidth(small, QStringLiteral("= ") + card.formula);
    const double room = right - left - formula - theme_.px(14);
    if (card.formula.isEmpty()) {
        if (!card.example.isEmpty()) lines(card.example, theme_.font(small_size), small);
    } else if (!card.example.isEmpty() && room >= theme_.px(60)) {
        if (painter) {
            painter->setFont(theme_.font(small_size));
            painter->setPen(theme_.muted);
        }
        label(painter, {left, first_line, right - left, small.height()}, Qt::AlignRight | Qt::AlignVCenter,
              elided(small, card.example, room));
    }
    if (!card.values.empty()) {
        std::vector<ProvenancePart> parts = card.values;
        parts.insert(parts.begin(), {QStringLiteral("= ")});
        y = layoutParts(parts, left, y + theme_.px(2), right, painter);
    }
    if (card.sum) y = layoutSum(*card.sum, y + theme_.px(4), width, painter);
    if (!card.note.isEmpty()) {
        y += theme_.px(3);
        lines(card.note, theme_.font(small_size), small);
    }
    if (!card.keras.isEmpty()) {
        y += theme_.px(4);
        if (painter) {
            painter->setFont(theme_.font(keras_size));
            painter->setPen(theme_.muted);
        }
        const QRectF place(left, y, right - left, keras.height());
        label(painter, place, Qt::AlignLeft | Qt::AlignVCenter,
              elided(keras, tr("Keras: %1").arg(card.keras), right - left));
        y += keras.height();
    }
    return y + std::max(theme_.px(8), row * 0.4);
}

double ProvenanceBody::layoutSum(const ProvenanceSum& sum, double y, double width, QPainter* painter) const {
    const double left = theme_.px(pad), right = width - theme_.px(pad), row = theme_.px(row_height);
    const QFont small = theme_.font(small_size), font = theme_.font(line_size);
    const QFontMetricsF thin(small), plain(font);
    double results = tabularWidth(plain, sum.total);
    for (const ProvenanceRow& r : sum.rows) results = std::max(results, tabularWidth(plain, r.result));
    results = std::max(results, tabularWidth(plain, sum.rest)) + theme_.px(10);
    const auto quiet = [&](const QString& text, double at, double room) {
        if (painter) {
            painter->setFont(small);
            painter->setPen(theme_.muted);
        }
        label(painter, {at, y, room, row}, Qt::AlignLeft | Qt::AlignVCenter, elided(thin, text, room));
    };
    const auto number = [&](const QString& text) {
        if (painter) {
            painter->setFont(font);
            painter->setPen(theme_.ink);
        }
        label(painter, {right - results, y, results, row}, Qt::AlignRight | Qt::AlignVCenter, text);
    };
    for (const ProvenanceRow& r : sum.rows) {
        const double parts = widthOf(r.parts), start = right - results - parts;
        double x = left;
        if (r.expert) {
            const double mark = theme_.px(8);
            if (painter && r.marked)
                painter->fillPath(expertShape(*r.expert, {x + mark / 2, y + row / 2}, mark), theme_.expert(*r.expert));
            if (r.marked) x += mark + theme_.px(4);
            const QString letter = r.marked ? expertName(*r.expert) : tr("expert %1").arg(expertName(*r.expert));
            quiet(letter, x, tabularWidth(thin, letter) + 1);
            x += tabularWidth(thin, letter) + theme_.px(5);
        }
        const bool beside = start >= x;
        const double room = (beside ? start : right) - x - theme_.px(6);
        if (room > theme_.px(10)) quiet(r.label, x, room);
        if (!beside) y += row;  // many digits have a line of their own
        layoutParts(r.parts, std::max(start, left), y, right, painter);
        number(r.result);
        y += row;
    }
    if (sum.smaller > 0) {
        const QString text = tr("and %1 smaller").arg(countText(sum.smaller));
        const double wide = std::min(tabularWidth(thin, text), right - left - results);
        links_.push_back({QRectF(left, y, wide, row), {}, tr("Lists more of them")});
        const std::size_t index = links_.size() - 1;
        quiet(text, left, right - left - results);
        if (painter) {
            const bool on = index == hovered_ || (index == current_ && hasFocus());
            painter->setPen(QPen(on ? theme_.ink : theme_.muted, on ? 1.5 : 0.7));
            painter->drawLine(QPointF(left, y + row - theme_.px(2.5)), QPointF(left + wide, y + row - theme_.px(2.5)));
        }
        number(sum.rest);
        y += row;
    } else if (!sum.rest.isEmpty()) {
        quiet(tr("rounding"), left, right - left - results);
        number(sum.rest);
        y += row;
    }
    if (painter) {
        painter->setPen(QPen(theme_.hairline, 1));
        painter->drawLine(QPointF(left, y), QPointF(right, y));
    }
    y += theme_.px(1);
    quiet(sum.exponent == 0 ? tr("sum") : tr("sum, in units of %1").arg(powerText(sum.exponent)), left,
          right - left - results);
    number(sum.total);
    return y + row;
}

double ProvenanceBody::layoutBelow(const ProvenanceCard& card, double y, double width, QPainter* painter) const {
    const double left = theme_.px(pad), right = width - theme_.px(pad), row = theme_.px(below_height);
    const QRectF place(0.5, y, width - 1, row);
    links_.push_back({place, card.ref, {}});
    const std::size_t index = links_.size() - 1;
    if (painter) {
        const bool on = index == hovered_ || (index == current_ && hasFocus());
        painter->setPen(on ? QPen(theme_.muted, 1) : QPen(Qt::NoPen));
        painter->setBrush(theme_.page);
        painter->drawRoundedRect(place, theme_.px(8), theme_.px(8));
    }
    const QFontMetricsF strong(theme_.font(line_size, QFont::DemiBold)), small(theme_.font(small_size));
    const double value = tabularWidth(strong, card.shown);
    const double end = right - value - theme_.px(10);
    const double x = nameAt(card.name, left, y, row, end, 13, painter);
    if (painter) {
        painter->setFont(theme_.font(line_size, QFont::DemiBold));
        painter->setPen(theme_.ink);
    }
    label(painter, {right - value, y, value, row}, Qt::AlignRight | Qt::AlignVCenter, card.shown);
    // The formula where there is room for the whole of it.
    const QString formula = QStringLiteral("= ") + card.formula;
    if (!card.formula.isEmpty() && x + tabularWidth(small, formula) + theme_.px(8) <= end) {
        if (painter) {
            painter->setFont(theme_.font(small_size));
            painter->setPen(theme_.muted);
        }
        label(painter, {x, y, end - x, row}, Qt::AlignRight | Qt::AlignVCenter, formula);
    }
    return y + row;
}

void ProvenanceBody::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    layout(width(), &painter);
}

std::size_t ProvenanceBody::linkAt(QPointF position) const {
    for (std::size_t i = 0; i < links_.size(); ++i)
        if (links_[i].place.adjusted(-2, -1, 2, 1).contains(position)) return i;
    return npos;
}

void ProvenanceBody::activate(std::size_t link) {
    if (link >= links_.size()) return;
    const Link chosen = links_[link];  // the list is made anew on the way
    if (!chosen.ref) {
        Q_EMIT moreAsked();
        return;
    }
    current_ = 0;
    Q_EMIT followed(*chosen.ref);
}

void ProvenanceBody::setCurrent(std::size_t link) {
    if (links_.empty()) return;
    current_ = std::min(link, links_.size() - 1);
    const Link& now = links_[current_];
    setAccessibleDescription(now.ref && tip_ ? tr("%1. Enter goes there.").arg(tip_(*now.ref))
                                             : tr("More terms. Enter lists them."));
    Q_EMIT revealed(now.place.toAlignedRect());
    update();
}

void ProvenanceBody::mouseMoveEvent(QMouseEvent* event) {
    const std::size_t link = linkAt(event->position());
    if (link == hovered_) return;
    hovered_ = link;
    setCursor(link == npos ? Qt::ArrowCursor : Qt::PointingHandCursor);
    update();
}

void ProvenanceBody::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() == Qt::BackButton) {
        Q_EMIT backAsked();
        return;
    }
    if (event->button() == Qt::LeftButton) activate(linkAt(event->position()));
}

void ProvenanceBody::leaveEvent(QEvent* event) {
    QWidget::leaveEvent(event);
    hovered_ = npos;
    update();
}

void ProvenanceBody::keyPressEvent(QKeyEvent* event) {
    const int key = event->key();
    if (event->matches(QKeySequence::Copy)) {
        Q_EMIT copyAsked();
    } else if (event->modifiers() & ~Qt::KeypadModifier) {
        QWidget::keyPressEvent(event);
    } else if (key == Qt::Key_Down) {
        setCurrent(current_ + 1);
    } else if (key == Qt::Key_Up) {
        setCurrent(current_ == 0 ? 0 : current_ - 1);
    } else if (key == Qt::Key_Home) {
        setCurrent(0);
    } else if (key == Qt::Key_End) {
        setCurrent(npos - 1);
    } else if (key == Qt::Key_Return || key == Qt::Key_Enter) {
        activate(current_);
    } else if (key == Qt::Key_Backspace) {
        Q_EMIT backAsked();
    } else {
        QWidget::keyPressEvent(event);
    }
}

bool ProvenanceBody::event(QEvent* event) {
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) update();
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const std::size_t link = linkAt(QPointF(help->pos()));
    if (link == npos) {
        QToolTip::hideText();
    } else {
        const Link& l = links_[link];
        QToolTip::showText(help->globalPos(), tipText(l.ref && tip_ ? tip_(*l.ref) : l.tip), this,
                           l.place.toAlignedRect());
    }
    return true;
}

ProvenanceView::ProvenanceView(QWidget* parent)
    : QWidget(parent),
      terms_(first_terms),
      scroll_(new QScrollArea(this)),
      body_(new ProvenanceBody(nullptr)),
      back_(new TextToggle(this)),
      copy_(new TextToggle(this)),
      keras_(new TextToggle(this)) {
    scroll_->setWidget(body_);
    scroll_->setFrameShape(QFrame::NoFrame);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->setFocusPolicy(Qt::NoFocus);
    scroll_->viewport()->setAutoFillBackground(false);
    body_->setAutoFillBackground(false);
    body_->setTips([this](const NumberRef& ref) {
        if (!cards_) return QString();
        const QString value =
            tr("%1 = %2").arg(cards_->name(ref).text(), QString::fromStdString(to_text(float(cards_->value(ref)))));
        const auto number = cards_->provenance().find(ref);
        const auto example = number ? cards_->provenance().place(*number).example : std::nullopt;
        return example && cards_->provenance().examples() > 1
                   ? value + u'\n' + tr("example: %1").arg(cards_->exampleText(*example))
                   : value;
    });
    setFocusProxy(body_);
    connect(body_, &ProvenanceBody::followed, this, &ProvenanceView::go);
    connect(body_, &ProvenanceBody::backAsked, this, &ProvenanceView::back);
    connect(body_, &ProvenanceBody::copyAsked, this, [this] { copy(text(), *copy_); });
    connect(body_, &ProvenanceBody::moreAsked, this, [this] {
        terms_ += more_terms;
        refresh();
    });
    connect(body_, &ProvenanceBody::revealed, this,
            [this](const QRect& place) { scroll_->ensureVisible(place.center().x(), place.center().y(), 0, 30); });
    connect(back_, &QAbstractButton::clicked, this, &ProvenanceView::back);
    connect(copy_, &QAbstractButton::clicked, this, [this] { copy(text(), *copy_); });
    connect(keras_, &QAbstractButton::clicked, this, [this] { copy(kerasLine(), *keras_); });
    back_->setObjectName(QStringLiteral("provenance_back"));
    copy_->setObjectName(QStringLiteral("provenance_copy"));
    keras_->setObjectName(QStringLiteral("provenance_keras"));
    refresh();
}

void ProvenanceView::setTheme(const Theme& theme) {
    theme_ = theme;
    refresh();
}

void ProvenanceView::setTrace(std::shared_ptr<const Trace> trace, ProvenanceCards::WordOf word_of) {
    cards_ = trace ? std::make_unique<ProvenanceCards>(std::move(trace), std::move(word_of)) : nullptr;
    std::erase_if(trail_, [&](const NumberRef& ref) { return !cards_ || !cards_->has(ref); });
    if (number_ && (!cards_ || !cards_->has(*number_))) number_.reset();
    refresh();
}

void ProvenanceView::showNumber(const NumberRef& ref) {
    trail_.clear();
    number_.reset();
    if (cards_ && cards_->has(ref)) number_ = ref;
    terms_ = first_terms;
    refresh();
    Q_EMIT numberChanged();
}

void ProvenanceView::clear() {
    trail_.clear();
    number_.reset();
    refresh();
    Q_EMIT numberChanged();
}

void ProvenanceView::setInvitation(const QString& sentence) {
    if (sentence == invitation_) return;
    invitation_ = sentence;
    refresh();
}

void ProvenanceView::go(const NumberRef& ref) {
    if (!cards_ || !cards_->has(ref) || ref == number_) return;
    if (number_) trail_.push_back(*number_);
    number_ = ref;
    terms_ = first_terms;
    scroll_->verticalScrollBar()->setValue(0);
    refresh();
    Q_EMIT numberChanged();
}

void ProvenanceView::back() {
    if (trail_.empty()) return;
    number_ = trail_.back();
    trail_.pop_back();
    terms_ = first_terms;
    refresh();
    Q_EMIT numberChanged();
}

QString ProvenanceView::title() const {
    return chain_.empty() ? tr("Where a number comes from") : tr("Where %1 comes from").arg(chain_.front().shown);
}

QString ProvenanceView::text() const {
    if (!cards_ || !number_) return {};
    QStringList lines{title()};
    for (const NumberRef& ref : [&] {
             std::vector<NumberRef> refs;
             for (const ProvenanceCard& card : chain_) refs.push_back(card.ref);
             return refs;
         }())
        lines << ProvenanceCards::text(cards_->card(ref, lines.size() == 1 ? terms_ : first_terms)).trimmed();
    return lines.join(u'\n') + u'\n';
}

QString ProvenanceView::kerasLine() const {
    return chain_.empty() ? QString() : chain_.front().keras;
}

QString ProvenanceView::labelFault() const {
    const QString own = labels_.fault(QRectF(rect()));
    return own.isEmpty() ? body_->labelFault() : own;
}

void ProvenanceView::copy(const QString& text, QAbstractButton& asked) {
    if (!text.isEmpty()) copyText(text, asked, tr("Copied"), theme_);
}

void ProvenanceView::refresh() {
    chain_ = cards_ && number_ ? cards_->chain(*number_, terms_) : std::vector<ProvenanceCard>();
    back_->setText(tr("Back"));
    copy_->setText(tr("Copy text"));
    keras_->setText(tr("Copy Keras"));
    back_->setToolTip(tr("To the number before (Backspace)"));
    copy_->setToolTip(tr("This number and what it comes from, as text (Ctrl+C)"));
    keras_->setToolTip(kerasLine().isEmpty() ? tr("The line that computes it in Keras")
                                             : tipText(tr("The line that computes it in Keras: %1").arg(kerasLine())));
    for (TextToggle* t : {back_, copy_, keras_}) {
        t->setTheme(theme_);
        t->setAccessibleName(t->text());
    }
    back_->setVisible(!trail_.empty());
    copy_->setVisible(!chain_.empty());
    keras_->setVisible(!kerasLine().isEmpty());
    body_->setAccessibleName(title());
    if (!chain_.empty()) body_->setAccessibleDescription(ProvenanceCards::text(chain_.front()));
    body_->setContent(chain_, theme_);
    arrange();
    update();
}

void ProvenanceView::arrange() {
    const int head = int(std::ceil(QFontMetricsF(theme_.font(line_size, QFont::DemiBold)).height() + theme_.px(10)));
    const int foot = copy_->sizeHint().height() + int(theme_.px(6));
    back_->placeAt(width(), head - int(theme_.px(8)));
    int left = 0;
    for (TextToggle* t : {copy_, keras_}) {
        const QSize size = t->sizeHint();
        t->setGeometry(left, height() - size.height(), size.width(), size.height());
        left += size.width() + int(theme_.px(14));
    }
    scroll_->setGeometry(0, head, width(), std::max(0, height() - head - foot));
    scroll_->setVisible(!chain_.empty());
    int inside = width();
    if (body_->heightFor(inside) > scroll_->height())
        inside -= scroll_->verticalScrollBar()->sizeHint().width() + int(theme_.px(4));
    body_->resize(inside, std::max(scroll_->height(), body_->heightFor(inside)));
}

void ProvenanceView::paintEvent(QPaintEvent*) {
    labels_.clear();
    QPainter painter(this);
    painter.setRenderHints(QPainter::TextAntialiasing);
    painter.setFont(theme_.font(line_size, QFont::DemiBold));
    painter.setPen(theme_.ink);
    const QFontMetricsF metrics(painter.font());
    const double room = width() - (trail_.empty() ? 0 : back_->width() + theme_.px(8));
    labels_.draw(painter, {0, 0, room, metrics.height()}, Qt::AlignLeft, elided(metrics, title(), room));
    const QFontMetricsF small(theme_.font(small_size));
    painter.setFont(theme_.font(small_size));
    painter.setPen(theme_.muted);
    if (chain_.empty()) {
        double y = metrics.height() + theme_.px(10);
        const QString sentence = invitation_.isEmpty() ? tr("Click a number to see where it comes from.") : invitation_;
        for (const QString& line : wrapped(small, sentence, width())) {
            labels_.draw(painter, {0, y, double(width()), small.height()}, Qt::AlignLeft, line);
            y += small.height();
        }
        return;
    }
    const QString hint = tr("Click a link to go there");
    const int used = keras_->isVisibleTo(this) ? keras_->geometry().right() : copy_->geometry().right();
    if (used + theme_.px(14) + small.horizontalAdvance(hint) <= width())
        labels_.draw(painter, {0, height() - small.height(), double(width()), small.height()}, Qt::AlignRight, hint);
}

void ProvenanceView::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrange();
}

void ProvenanceView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::LanguageChange) refresh();
}

}  // namespace moe::app
