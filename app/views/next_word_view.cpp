#include "app/views/next_word_view.h"

#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "engine/core/numbers.h"

#include <QHelpEvent>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double text_size = 12, small_size = 10.5, row_height = 16, gap = 4;
constexpr std::size_t shown_words = 5, shown_gate = 8;

QString quoted(const QString& word) {
    return u'“' + word + u'”';
}

}  // namespace

NextWordBody::NextWordBody(QWidget* parent) : QWidget(parent), toggle_(new TextToggle(this)) {
    toggle_->setCheckable(true);
}

void NextWordBody::setContent(Content content, const Theme& theme) {
    content_ = std::move(content);
    theme_ = theme;
    toggle_->setTheme(theme_);
    toggle_->setText(toggle_->isChecked() ? tr("Hide the serving path") : tr("Serving path"));
    toggle_->setToolTip(tr("From the text to the word: each stage with its numbers"));
    toggle_->setVisible(content_.can_unfold);
    update();
}

int NextWordBody::heightFor(int width) const {
    return int(std::ceil(layout(width, nullptr)));
}

void NextWordBody::fit(int width, int height) {
    words_ = shown_words;
    while (words_ > 1 && content_.path.empty() && heightFor(width) > height) --words_;
}

double NextWordBody::layout(double width, QPainter* painter) const {
    labels_.clear();
    double y = 0;
    if (painter) painter->setFont(theme_.font(text_size));
    const QFontMetricsF metrics(theme_.font(text_size));
    for (const QString& warning : content_.warnings)
        for (const QString& line : wrapped(metrics, warning, width)) {
            if (painter) {
                painter->setPen(theme_.ink);
                labels_.draw(*painter, {0, y, width, metrics.height()}, Qt::AlignLeft, elided(metrics, line, width));
            }
            y += metrics.height();
        }
    if (!content_.empty.isEmpty()) {
        for (const QString& line : wrapped(metrics, content_.empty, width)) {
            if (painter) {
                painter->setPen(theme_.muted);
                labels_.draw(*painter, {0, y, width, metrics.height()}, Qt::AlignLeft, line);
            }
            y += metrics.height();
        }
    }
    y = layoutWords(y, width, painter);
    y = layoutGate(y, width, painter);
    if (content_.can_unfold) {
        // At the end of the gate's line where that has room, else in a line of its own.
        const QSize size = toggle_->sizeHint();
        const bool inline_place = !content_.gate.empty() && gate_end_ + theme_.px(8) + size.width() <= width;
        toggle_left_ = inline_place ? width - size.width() : 0;
        toggle_top_ = inline_place ? y - size.height() : y + theme_.px(2);
        y = toggle_top_ + size.height() + (content_.path.empty() ? 0 : theme_.px(gap));
    }
    return layoutPath(y, width, painter);
}

double NextWordBody::layoutWords(double y, double width, QPainter* painter) const {
    const QFont plain = theme_.font(text_size), strong = theme_.font(text_size, QFont::DemiBold);
    const double row = theme_.px(row_height);
    words_top_ = y;
    double column = theme_.px(40), number = 0;
    for (std::size_t i = 0; i < std::min(content_.top.size(), words_); ++i) {
        column = std::max(column, QFontMetricsF(strong).horizontalAdvance(shownText(content_.top[i].word)));
        number = std::max(number, tabularWidth(strong, percentText(double(content_.top[i].probability))));
    }
    column = std::min(column, width * 0.4) + theme_.px(10);
    for (std::size_t i = 0; i < std::min(content_.top.size(), words_); ++i, y += row) {
        if (!painter) continue;
        const WordProbability& word = content_.top[i];
        const double p = double(word.probability), middle = y + row / 2, bar = theme_.px(8);
        painter->setFont(i == 0 ? strong : plain);
        painter->setPen(theme_.ink);
        labels_.draw(*painter, {0, y, column, row}, Qt::AlignLeft | Qt::AlignVCenter,
                     elided(QFontMetricsF(painter->font()), shownText(word.word), column - theme_.px(8)));
        const QRectF track(column, middle - bar / 2, std::max(10.0, width - column - number - theme_.px(8)), bar);
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme_.track);
        painter->drawRoundedRect(track, bar / 2, bar / 2);
        const double filled = std::isfinite(p) ? track.width() * std::clamp(p, 0.0, 1.0) : 0;
        painter->setBrush(i == 0 ? theme_.ink : theme_.muted);
        if (filled > 0.5)
            painter->drawRoundedRect(QRectF(track.left(), track.top(), std::max(filled, bar * 0.4), bar),
                                     std::min(bar, filled) / 2, bar / 2);
        painter->setPen(theme_.ink);
        labels_.draw(*painter, {width - 1, y, 1, row}, Qt::AlignRight | Qt::AlignVCenter, percentText(p));
    }
    return content_.top.empty() ? y : y + theme_.px(1);
}

double NextWordBody::layoutGate(double y, double width, QPainter* painter) const {
    if (content_.gate.empty()) return y;
    const QFont plain = theme_.font(small_size), strong = theme_.font(small_size, QFont::DemiBold);
    const QFontMetricsF metrics(plain), bold(strong);
    const double row = metrics.height() + theme_.px(3), mark = theme_.px(9);
    double x = 0;
    const auto next = [&](double needed) {
        if (x > 0 && x + needed > width) x = 0, y += row;
    };
    const auto word = [&](const QString& text) {
        next(metrics.horizontalAdvance(text));
        if (painter) {
            painter->setFont(plain);
            painter->setPen(theme_.muted);
            labels_.draw(*painter, {x, y, 1, row}, Qt::AlignLeft | Qt::AlignVCenter, text);
        }
        x += metrics.horizontalAdvance(text) + theme_.px(8);
    };
    word(tr("gate"));
    for (const auto& [expert, weight] : content_.gate) {
        const bool marked = content_.experts <= max_coloured_experts || content_.focused == expert;
        const QString name = expertName(expert), number = gateText(weight);
        const double name_width = bold.horizontalAdvance(name) + theme_.px(4), head = marked ? mark + theme_.px(5) : 0;
        const double whole = head + name_width + tabularWidth(metrics, number);
        next(whole);
        if (painter) {
            if (marked)
                painter->fillPath(expertShape(expert, {x + mark / 2, y + row / 2}, mark), theme_.expert(expert));
            painter->setFont(strong);
            painter->setPen(theme_.ink);
            labels_.draw(*painter, {x + head, y, 1, row}, Qt::AlignLeft | Qt::AlignVCenter, name);
            painter->setFont(plain);
            labels_.draw(*painter, {x + head + name_width, y, 1, row}, Qt::AlignLeft | Qt::AlignVCenter, number);
        }
        x += whole + theme_.px(10);
    }
    if (content_.other_experts > 0) word(content_.others.arg(content_.other_experts));
    gate_end_ = x - theme_.px(8);
    return y + row;
}

double NextWordBody::layoutPath(double y, double width, QPainter* painter) const {
    if (content_.path.empty()) return y;
    const QFontMetricsF metrics(theme_.font(11));
    double column = 0;
    for (const ServingStage& stage : content_.path) column = std::max(column, metrics.horizontalAdvance(stage.name));
    column += theme_.px(22);
    const double row = metrics.height() + theme_.px(5);
    double previous = -1;
    for (const ServingStage& stage : content_.path) {
        const double middle = y + row / 2, dot = theme_.px(2.5);
        if (painter) {
            painter->setFont(theme_.font(11));
            if (previous >= 0) {
                painter->setPen(QPen(theme_.hairline, 1.5));
                painter->drawLine(QPointF(dot + 1, previous + dot), QPointF(dot + 1, middle - dot));
            }
            painter->setPen(Qt::NoPen);
            painter->setBrush(theme_.muted);
            painter->drawEllipse(QPointF(dot + 1, middle), dot, dot);
            painter->setPen(theme_.muted);
            labels_.draw(*painter, {theme_.px(12), y, column, row}, Qt::AlignLeft | Qt::AlignVCenter, stage.name);
            painter->setPen(theme_.ink);
        }
        previous = middle;
        for (const QString& line : wrapped(metrics, stage.value, width - column)) {
            if (painter)
                labels_.draw(*painter, {column, y, width - column, row}, Qt::AlignLeft | Qt::AlignVCenter,
                             elided(metrics, line, width - column));
            y += row;
        }
        if (stage.value.trimmed().isEmpty()) y += row;
    }
    return y + theme_.px(2);
}

void NextWordBody::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    layout(width(), &painter);
    const QSize size = toggle_->sizeHint();
    toggle_->setGeometry(int(toggle_left_), int(toggle_top_), size.width(), size.height());
}

bool NextWordBody::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const double row = (help->pos().y() - words_top_) / theme_.px(row_height);
    if (row >= 0 && row < double(std::min(content_.top.size(), words_))) {
        const WordProbability& word = content_.top[std::size_t(row)];
        const QString text =
            tr("%1, id %2: probability %3")
                .arg(quoted(shownText(word.word)), QString::number(word.id), gateText(double(word.probability), 4));
        QToolTip::showText(help->globalPos(), tipText(text), this);
        return true;
    }
    QToolTip::hideText();
    return true;
}

NextWordView::NextWordView(SessionController& session, QWidget* parent)
    : MeasureView(session, parent),
      field_(new QLineEdit(this)),
      scroll_(new QScrollArea(this)),
      body_(new NextWordBody(nullptr)) {
    field_->setPlaceholderText(tr("Type a phrase"));
    field_->setAccessibleName(tr("Phrase"));
    field_->setToolTip(tr("The phrase that the model continues; the stage shows the same"));
    scroll_->setWidget(body_);
    scroll_->setFrameShape(QFrame::NoFrame);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->viewport()->setAutoFillBackground(false);
    body_->setAutoFillBackground(false);
    scroll_->setFocusPolicy(Qt::NoFocus);
    connect(field_, &QLineEdit::textEdited, this,
            [this](const QString& text) { session_.setProbe(text, max_sequence_length - 1); });
    connect(body_->pathToggle(), &QAbstractButton::toggled, this, [this](bool unfolded) {
        refresh();
        // What was asked for is seen, where the panel is low.
        if (unfolded) scroll_->verticalScrollBar()->setValue(body_->pathTop());
    });
}

QString NextWordView::scope() const {
    const ProbeForward& probe = snapshot().probe;
    if (probe.prefix_words.empty() || prefix() + 1 == probe.prefix_words.size()) return atMoment({});
    const QString text = prefixText(prefix());
    return atMoment(tr("after %1").arg(quoted(text.size() <= 24 ? text : u'…' + text.right(23))));
}

QString NextWordView::value() const {
    const std::vector<WordProbability>& top = snapshot().probe.focused.top;
    if (top.empty()) return {};
    return percentText(double(top.front().probability)) + u' ' + shownText(top.front().word).left(20);
}

std::vector<ServingStage> NextWordView::servingPath() const {
    return app::servingPath(snapshot(), prefix());
}

void NextWordView::refresh() {
    const ProbeForward& probe = snapshot().probe;
    const QString text = QString::fromStdString(probe.text);
    if (!field_->hasFocus() && field_->text() != text) field_->setText(text);
    NextWordBody::Content content;
    content.experts = numExperts();
    content.focused = expert();
    QStringList unknown;
    for (const ProbeWord& word : probe.words)
        if (word.id == 0 && !unknown.contains(quoted(shownText(word.text)))) unknown << quoted(shownText(word.text));
    if (unknown.size() == 1) content.warnings.push_back(tr("%1 is unknown and left out").arg(unknown.first()));
    if (unknown.size() > 1)
        content.warnings.push_back(tr("%1 are unknown and left out").arg(unknown.join(QStringLiteral(", "))));
    if (probe.prefix_words.empty()) content.empty = tr("Type a phrase with a word that the model knows");
    content.top = probe.focused.top;
    const std::size_t E = numExperts();
    if (!probe.prefix_words.empty() && probe.gate_weights.size() == probe.prefix_words.size() * E) {
        const auto first = probe.gate_weights.begin() + std::ptrdiff_t(prefix() * E);
        const std::vector<float> weights(first, first + std::ptrdiff_t(E));
        const std::size_t* keep = expert() ? &*expert() : nullptr;
        const bool chooses = snapshot().experiment.model.router != "soft";
        for (const std::size_t e : shownExperts(weights, E <= shown_gate ? E : 4, keep)) {
            // What a gate did not choose is counted, not listed.
            if (chooses && weights[e] == 0 && expert() != e) continue;
            content.gate.emplace_back(e, double(weights[e]));
        }
        content.other_experts = E - content.gate.size();
        content.others = chooses ? tr("%1 not chosen") : tr("and %1 more");
    }
    const auto path = servingPath();
    content.can_unfold = !path.empty();
    if (body_->pathToggle()->isChecked()) content.path = path;
    body_->setContent(std::move(content), theme_);
    arrange();
}

void NextWordView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    arrange();
}

void NextWordView::arrange() {
    const int field = std::max(field_->sizeHint().height(), int(theme_.px(26)));
    field_->setGeometry(0, 0, width(), field);
    const int top = field + int(theme_.px(gap));
    scroll_->setGeometry(0, top, width(), std::max(0, height() - top));
    const int room = std::max(0, height() - top);
    int inside = width();
    body_->fit(inside, room);
    if (body_->heightFor(inside) > room) inside -= scroll_->verticalScrollBar()->sizeHint().width() + int(theme_.px(4));
    body_->resize(inside, std::max(room, body_->heightFor(inside)));
}

QString NextWordView::summary() const {
    const std::vector<WordProbability>& top = snapshot().probe.focused.top;
    if (top.empty()) return tr("The phrase has no word that the model knows.");
    return tr("After %1: %2, probability %3.")
        .arg(quoted(prefixText(prefix())), quoted(shownText(top.front().word)),
             percentText(double(top.front().probability)));
}

Table NextWordView::table() const {
    Table table;
    table.title = title();
    for (const ServingStage& stage : servingPath()) table.notes.push_back(stage.name + u' ' + stage.value);
    for (const RunSetting& setting : runSettings(snapshot(), {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    table.columns = {tr("rank"), tr("word"), tr("id"), tr("probability")};
    const std::vector<WordProbability>& top = snapshot().probe.focused.top;
    for (std::size_t i = 0; i < top.size(); ++i)
        table.rows.push_back({QString::number(i + 1), shownText(top[i].word), QString::number(top[i].id),
                              QString::fromStdString(to_text(top[i].probability))});
    return table;
}

}  // namespace moe::app
