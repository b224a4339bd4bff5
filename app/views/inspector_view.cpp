#include "app/views/inspector_view.h"

#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/views/copied_sign.h"
#include "engine/core/numbers.h"

#include <QKeyEvent>
#include <QPainter>
#include <QSignalBlocker>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double box_height = 26, gap = 6, chart_height = 66, least_map = 96, text_size = 11.5, small_size = 10.5;
constexpr std::size_t listed_experts = 2048;
// A vector of few numbers is laid out so that each can be read.
constexpr std::size_t readable_columns = 8, readable_numbers = 128;

}  // namespace

InspectorView::InspectorView(SessionController& session, QWidget* parent)
    : View(session, parent),
      feed_(session),
      part_(new QComboBox(this)),
      which_(new QComboBox(this)),
      array_box_(new QComboBox(this)),
      scale_box_(new QComboBox(this)),
      gradient_toggle_(new TextToggle(this)),
      where_(new TextToggle(this)),
      numbers_copy_(new TextToggle(this)),
      table_copy_(new TextToggle(this)),
      zoom_in_(new TextToggle(this)),
      zoom_out_(new TextToggle(this)),
      close_where_(new TextToggle(this)),
      follow_(new TextToggle(this)),
      map_(new ArrayMap(this)),
      histogram_(new ArrayHistogram(this)),
      norm_(new NormChart(this)),
      provenance_(new ProvenanceView(this)) {
    part_->setObjectName(QStringLiteral("inspector_part"));
    which_->setObjectName(QStringLiteral("inspector_which"));
    array_box_->setObjectName(QStringLiteral("inspector_array"));
    scale_box_->setObjectName(QStringLiteral("inspector_scale"));
    gradient_toggle_->setObjectName(QStringLiteral("inspector_gradient"));
    where_->setObjectName(QStringLiteral("inspector_where"));
    numbers_copy_->setObjectName(QStringLiteral("inspector_copy_numbers"));
    table_copy_->setObjectName(QStringLiteral("inspector_copy_table"));
    for (QComboBox* box : {part_, which_, array_box_, scale_box_}) {
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMaxVisibleItems(20);
    }
    follow_->setObjectName(QStringLiteral("inspector_follow"));
    gradient_toggle_->setCheckable(true);
    provenance_->hide();
    close_where_->hide();
    follow_->hide();
    map_->setMeaning([this](std::size_t i) { return cellText(i); });

    connect(part_, &QComboBox::activated, this, [this](int part) {
        InspectionTarget target{InspectedPart(part), 0};
        const ProbeForward& probe = snapshot().probe;
        if (target.part == InspectedPart::word && !probe.prefix_words.empty())
            target.index =
                std::size_t(probe.words[probe.prefix_words[std::min(probe.focus, probe.prefix_words.size() - 1)]].id);
        if (target.part == InspectedPart::expert) target.index = session_.focusedExpert().value_or(0);
        if (target.part == InspectedPart::next_word && !probe.focused.top.empty())
            target.index = std::size_t(probe.focused.top.front().id);
        inspect(target);
    });
    connect(which_, &QComboBox::activated, this, [this](int) {
        inspect({target_.part, std::size_t(which_->currentData().toULongLong())});
    });
    connect(array_box_, &QComboBox::activated, this, [this](int index) { chooseArray(std::size_t(index)); });
    connect(scale_box_, &QComboBox::activated, this, [this](int scale) { setScale(InspectionScale(scale)); });
    connect(gradient_toggle_, &QAbstractButton::toggled, this, &InspectorView::setGradient);
    connect(where_, &QAbstractButton::clicked, this, [this] {
        if (map_->current()) explain(*map_->current());
    });
    connect(close_where_, &QAbstractButton::clicked, this, [this] {
        closeExplanation();
        want();
        refresh();
        arrange();
        map_->setFocus();
    });
    connect(follow_, &QAbstractButton::clicked, this, [this] { setFollowing(!following_); });
    connect(numbers_copy_, &QAbstractButton::clicked, this,
            [this] { copyText(numbersText(), *numbers_copy_, tr("Copied"), theme_); });
    connect(table_copy_, &QAbstractButton::clicked, this,
            [this] { copyText(tableText(), *table_copy_, tr("Copied"), theme_); });
    connect(zoom_in_, &QAbstractButton::clicked, this, [this] { map_->zoomBy(1); });
    connect(zoom_out_, &QAbstractButton::clicked, this, [this] { map_->zoomBy(-1); });
    connect(map_, &ArrayMap::pointed, this, [this] {
        where_->setVisible(map_->current() && !explaining());
        update();
    });
    connect(map_, &ArrayMap::picked, this, &InspectorView::explain);
    connect(map_, &ArrayMap::viewChanged, this, [this] {
        zoom_in_->setVisible(!explaining() && map_->canZoomIn());
        zoom_out_->setVisible(!explaining() && map_->canZoomOut());
        update();
    });
    for (const auto signal :
         {&SessionController::valuesChanged, &SessionController::momentChanged, &SessionController::focusChanged})
        connect(&session_, signal, this, &InspectorView::keepMoment);
    connect(&feed_, &InspectionFeed::arrived, this, [this] {
        takeTarget();
        if (explaining()) want();  // of a weight that no known batch has made the next one tells
    });
    connect(&session_, &SessionController::structureChanged, this, &InspectorView::takeStructure);
    connect(&session_, &SessionController::valuesChanged, this, [this] {
        if (snapshot().generation != generation_) return takeStructure();
        if (feed_.active() && !seen()) want();  // behind another tab by now
    });
    connect(&session_, &SessionController::focusChanged, this, [this] {
        // With the inspector open, an expert that is picked out anywhere is the one that is looked into.
        const auto expert = session_.focusedExpert();
        if (isVisible() && expert && expert != followed_expert_) inspect({InspectedPart::expert, *expert});
        followed_expert_ = expert;
    });
    takeStructure();
}

Inspection::WordOf InspectorView::wordOf() const {
    return [corpus = session_.corpus()](std::int32_t id) {
        if (!corpus || id <= 0 || std::size_t(id) >= corpus->tokenizer().index_end()) return QString::number(id);
        return QString::fromStdString(corpus->tokenizer().word(id));
    };
}

QString InspectorView::title() const {
    if (snapshot().state == SessionState::empty) return name();
    return Inspection::title(target_, wordOf());
}

std::uint64_t InspectorView::shownStep() const {
    const InspectedArray* a = array();
    if (!a) return snapshot().step;
    if (explaining() && explained_) return explained_step_;
    if (gradient()) return feed_.batch() ? feed_.batch()->step : snapshot().step;
    if (a->weights) return feed_.state() ? feed_.state()->step : snapshot().step;
    return feed_.phrase() ? feed_.phrase()->step : snapshot().step;
}

QString InspectorView::scope() const {
    if (snapshot().state == SessionState::empty) return {};
    const QString step = tr("step %1").arg(countText(shownStep()));
    return gradient() ? tr("next batch, %1").arg(step) : step;
}

bool InspectorView::gradient() const {
    return gradient_ && array() && array()->weights;
}

void InspectorView::inspect(const InspectionTarget& target, std::optional<std::size_t> array) {
    if (array) {
        chosen_ = *array;
    } else if (target.part != target_.part) {
        chosen_ = 0;
    }
    if (target != target_ || array) closeExplanation();
    target_ = target;
    takeTarget();
    want();
    arrange();
}

void InspectorView::chooseArray(std::size_t index) {
    chosen_ = index;
    closeExplanation();
    takeTarget();
    want();
    arrange();
}

void InspectorView::setGradient(bool on) {
    if (on != gradient_toggle_->isChecked()) {
        gradient_toggle_->setChecked(on);
        return;
    }
    gradient_ = on;
    closeExplanation();
    want();
    refresh();
    arrange();
}

void InspectorView::setScale(InspectionScale scale) {
    scale_ = scale;
    const QSignalBlocker quiet(scale_box_);
    scale_box_->setCurrentIndex(int(scale));
    refresh();
}

void InspectorView::explain(std::size_t i) {
    if (i >= values_.size()) return;
    if (map_->current() != i) map_->setCurrent(i);
    closeExplanation();
    pinned_ = shownStep();
    explaining_ = i;
    place_ = place();
    provenance_->clear();
    want();
    refreshExplanation();
    arrange();
    if (map_->hasFocus()) provenance_->setFocus();
}

void InspectorView::closeExplanation() {
    explaining_.reset();
    explained_.reset();
    pinned_.reset();
    following_ = false;
}

void InspectorView::setFollowing(bool on) {
    if (!explaining() || on == following_) return;
    following_ = on;
    pinned_.reset();
    if (!on) pinned_ = shownStep();
    want();
    refreshExplanation();
    say();
    arrange();
}

InspectorView::Place InspectorView::place() const {
    const ProbeForward& probe = snapshot().probe;
    return {session_.lookedAt(), session_.live().branch, probe.text, probe.focus};
}

// Training goes on beside a picked number; with the reader, to another moment or phrase, it goes.
void InspectorView::keepMoment() {
    Place now = place();
    if (now == place_) return;
    place_ = std::move(now);
    if (!pinned_) return;
    pinned_ = session_.lookedAt().value_or(session_.live().step);
    want();
}

NumberRef InspectorView::refOf(std::size_t i) const {
    const InspectedArray& a = *array();
    const std::string name(a.weights ? Provenance::name(a.parameter) : Provenance::name(a.quantity));
    const char* prefix = !a.weights ? "" : gradient() ? "d:" : fromUpdate() ? "new:" : "";
    return {prefix + name, 0, a.flat(i)};
}

bool InspectorView::fromUpdate() const {
    return array() && array()->weights && !gradient() && feed_.knowsBefore();
}

// A weight was made by the update of the batch before; where a run begins it is what the seed or a file gave.
const std::shared_ptr<const Trace>& InspectorView::explainer() const {
    if (!array()->weights) return feed_.phrase();
    if (!gradient() && moment() > 0 && (feed_.knowsBefore() || !feed_.before())) return feed_.before();
    return feed_.batch();
}

void InspectorView::refreshExplanation() {
    if (!explaining_ || !array()) return;
    const std::shared_ptr<const Trace>& trace = explainer();
    const std::string& error = &trace == &feed_.phrase()   ? feed_.phraseError()
                               : &trace == &feed_.before() ? feed_.beforeError()
                                                           : feed_.batchError();
    const std::uint64_t step = trace ? trace->step + (&trace == &feed_.before() ? 1 : 0) : 0;
    const bool other_moment = trace && pinned_ && step != *pinned_;
    provenance_->setInvitation(trace && !other_moment          ? QString()
                               : error.empty() || other_moment ? tr("The batch is being traced.")
                                                               : QString::fromStdString(error));
    if (trace == explained_ || other_moment) return;
    const bool first = !explained_ || !provenance_->number();
    explained_ = trace;
    explained_step_ = step;
    provenance_->setTrace(trace, wordOf());
    if (trace && first) provenance_->showNumber(refOf(*explaining_));
    say();
    arrange();
}

void InspectorView::want() {
    InspectionFeed::Wanted wanted;
    const InspectedArray* a = array();
    if (seen() && a && snapshot().state != SessionState::empty) {
        wanted.weights = a->weights && !gradient();
        wanted.before = explaining() && a->weights && !gradient() && moment() > 0;
        wanted.batch =
            gradient() || (explaining() && a->weights && !fromUpdate() && (!wanted.before || feed_.before()));
        wanted.phrase = !a->weights;
        wanted.norms = a->weights;
        wanted.step = pinned_;
    }
    feed_.want(wanted);
}

void InspectorView::takeStructure() {
    const ModelSpec& m = snapshot().experiment.model;
    if (snapshot().generation != generation_) {
        generation_ = snapshot().generation;
        const bool gone = (target_.part == InspectedPart::expert && target_.index >= m.num_experts) ||
                          ((target_.part == InspectedPart::word || target_.part == InspectedPart::next_word) &&
                           target_.index >= m.vocabulary);
        if (gone) target_ = {};
        closeExplanation();
    }
    takeTarget();
    want();
    arrange();
}

void InspectorView::fillWhich() {
    const ProbeForward& probe = snapshot().probe;
    std::vector<std::pair<QString, std::size_t>> items;
    const auto add = [&](const QString& text, std::size_t index) {
        for (const auto& item : items)
            if (item.second == index) return;
        items.emplace_back(text, index);
    };
    const auto word = [&](std::int32_t id) { return id == 0 ? tr("(padding)") : shownText(wordOf()(id)).left(24); };
    switch (target_.part) {
        case InspectedPart::word:
            for (const ProbeWord& w : probe.words)
                if (w.id != 0) add(word(w.id), std::size_t(w.id));
            add(word(std::int32_t(target_.index)), target_.index);
            add(word(0), 0);
            break;
        case InspectedPart::expert:
            for (std::size_t e = 0; e < std::min(snapshot().experiment.model.num_experts, listed_experts); ++e)
                items.emplace_back(expertName(e), e);
            break;
        case InspectedPart::next_word:
            for (const WordProbability& w : probe.focused.top) add(word(w.id), std::size_t(w.id));
            add(word(std::int32_t(target_.index)), target_.index);
            break;
        default:
            break;
    }
    const QSignalBlocker quiet(which_);
    bool same = which_->count() == int(items.size());
    for (int i = 0; same && i < which_->count(); ++i)
        same = which_->itemText(i) == items[std::size_t(i)].first &&
               which_->itemData(i).toULongLong() == items[std::size_t(i)].second;
    if (!same) {
        which_->clear();
        for (const auto& [text, index] : items) which_->addItem(text, qulonglong(index));
    }
    which_->setCurrentIndex(which_->findData(qulonglong(target_.index)));
    which_->setVisible(!items.empty());
}

void InspectorView::takeTarget() {
    const QSignalBlocker quiet_part(part_), quiet_array(array_box_), quiet_scale(scale_box_);
    const QStringList parts{tr("Word"), tr("Gate"), tr("Expert"), tr("Sum"), tr("Next word")};
    if (part_->count() == 0)
        for (const QString& p : parts) part_->addItem(p);
    for (int i = 0; i < parts.size(); ++i) part_->setItemText(i, parts[i]);
    part_->setCurrentIndex(int(target_.part));
    fillWhich();
    arrays_ = snapshot().state == SessionState::empty
                  ? std::vector<InspectedArray>()
                  : Inspection::arrays(target_, snapshot().experiment.model, feed_.phrase().get());
    chosen_ = arrays_.empty() ? 0 : std::min(chosen_, arrays_.size() - 1);
    bool same = array_box_->count() == int(arrays_.size());
    for (int i = 0; same && i < array_box_->count(); ++i)
        same = array_box_->itemText(i) == arrays_[std::size_t(i)].title;
    if (!same) {
        array_box_->clear();
        for (const InspectedArray& a : arrays_) array_box_->addItem(a.title);
    }
    array_box_->setCurrentIndex(int(chosen_));
    if (const InspectedArray* a = array()) {
        const QStringList scales{tr("scale: this array"), tr("scale: %1").arg(Inspection::layerName(*a)),
                                 a->weights ? tr("scale: all weights") : tr("scale: all activations")};
        if (scale_box_->count() == 0)
            for (const QString& s : scales) scale_box_->addItem(s);
        for (int i = 0; i < scales.size(); ++i) scale_box_->setItemText(i, scales[i]);
        scale_box_->setCurrentIndex(int(scale_));
    }
    say();
    refresh();
}

// Tooltips and accessible names, in the language of the moment.
void InspectorView::say() {
    const auto name = [](QWidget* widget, const QString& text, const QString& tip) {
        widget->setAccessibleName(text);
        widget->setToolTip(tip);
    };
    name(part_, tr("Part of the model"), tr("The part that is looked into; a click on the stage chooses it too"));
    name(which_, tr("Which one"), tr("Which word or expert"));
    name(array_box_, tr("Array"), tr("Weights of this part, or what the phrase makes of it"));
    name(scale_box_, tr("Colour scale"),
         tr("The largest number of this array, of its layer, or of all is the end of the colour scale"));
    const auto label = [&](TextToggle* toggle, const QString& text, const QString& tip) {
        toggle->setText(text);
        name(toggle, text, tip);
        toggle->setTheme(theme_);
    };
    label(gradient_toggle_, gradient_ ? tr("show values") : tr("show gradient"),
          tr("The weights, or their gradients of the next batch: mean loss plus balance loss"));
    label(where_, tr("Where from?"), tr("The formula that made this number, link by link back to the word"));
    label(numbers_copy_, tr("Copy numbers"), tr("The numbers of this array as text, a line a row"));
    label(table_copy_, tr("Copy table"), tr("Tab-separated, with what each row and column means: for a spreadsheet"));
    label(zoom_in_, tr("zoom in"), tr("Larger cells (+, or Ctrl and the wheel)"));
    label(zoom_out_, tr("zoom out"), tr("Smaller cells (−; 0 shows all)"));
    label(close_where_, tr("All numbers"), tr("Back to the array"));
    const QString step = countText(shownStep());
    if (following_)
        label(follow_, tr("step %1 · stay").arg(step), tr("Goes on with the run. Click: it stays at this step"));
    else
        label(follow_, tr("step %1 · follow").arg(step),
              tr("Stays at step %1, where it was picked. Click: it goes on with the run").arg(step));
    const QString header = title() + u'\n' + scope();
    if (header != header_) {
        header_ = header;
        setAccessibleName(tr("Inspector: %1").arg(title()));
        Q_EMIT headerChanged();
    }
}

void InspectorView::refresh() {
    values_.clear();
    const InspectedArray* a = array();
    ArrayMap::Content content;
    if (!a) {
        content.missing = tr("There is no model yet.");
        map_->setContent(std::move(content), theme_);
        return;
    }
    const std::vector<NamedArray> none;
    const std::vector<NamedArray>* arrays = &none;
    const Trace* phrase = feed_.phrase().get();
    bool expected = true;  // numbers are on their way
    if (a->weights) {
        if (gradient() && feed_.batch()) arrays = &feed_.batch()->gradients;
        if (!gradient() && feed_.state()) arrays = &feed_.state()->parameters;
        values_ = Inspection::read(*a, Inspection::whole(*arrays, a->parameter));
    } else if (phrase && a->missing.isEmpty()) {
        if (const TraceValue* v = phrase->find(Provenance::name(a->quantity)))
            values_ = Inspection::read(*a, v->values);
    } else {
        expected = snapshot().probe.prefix_words.empty() == false && !phrase;
    }
    const std::string& error = gradient() ? feed_.batchError() : a->weights ? feed_.stateError() : feed_.phraseError();
    if (values_.empty())
        content.missing = !error.empty()                     ? QString::fromStdString(error)
                          : expected || a->missing.isEmpty() ? tr("On its way from the engine")
                                                             : a->missing;
    limit_ = Inspection::limit(scale_, *a, values_, *arrays, phrase);
    // A vector is laid out in lines: few numbers so that they can be read, many so that all are seen.
    grid_columns_ = a->columns;
    std::size_t rows = a->rows;
    if (a->rows == 1) {
        if (a->columns <= readable_numbers)
            grid_columns_ = std::min(a->columns, readable_columns);
        else
            grid_columns_ = std::size_t(std::ceil(std::sqrt(double(a->columns) * 1.2)));
        rows = (a->columns + grid_columns_ - 1) / std::max<std::size_t>(1, grid_columns_);
    }
    content.values = values_;
    content.rows = values_.empty() ? 0 : rows;
    content.columns = grid_columns_;
    content.limit = limit_;
    content.gradient = gradient();
    content.on_off = a->on_off;
    const bool other_shape = content.rows != map_->content().rows || content.columns != map_->content().columns ||
                             content.values.empty() != map_->content().values.empty();
    map_->setContent(std::move(content), theme_);
    if (other_shape) arrange();
    histogram_->setNumbers(values_, limit_, theme_, gradient());

    std::vector<std::uint64_t> steps;
    std::vector<float> norms;
    if (a->weights && feed_.norms()) {
        const NormCurves& curves = *feed_.norms();
        for (std::size_t i = 0; i < curves.names.size(); ++i) {
            if (curves.names[i] != Provenance::name(a->parameter)) continue;
            steps = curves.steps;
            const auto first = curves.norms.begin() + std::ptrdiff_t(i * steps.size());
            norms.assign(first, first + std::ptrdiff_t(steps.size()));
        }
    }
    const bool bank =
        a->weights && (a->parameter >= ParameterId::hidden_kernel && a->parameter <= ParameterId::output_bias);
    const QString whose = bank                                                     ? tr("rms over the run, all experts")
                          : a->weights && a->parameter == ParameterId::embedding   ? tr("rms over the run, all words")
                          : a->weights && a->parameter == ParameterId::head_kernel ? tr("rms over the run, all words")
                                                                                   : tr("rms over the run");
    norm_->setCurve(std::move(steps), std::move(norms), shownStep(), whose, theme_);
    refreshExplanation();
    say();
    update();
}

void InspectorView::themeChanged() {
    provenance_->setTheme(theme_);
    say();
    refresh();
    arrange();
}

void InspectorView::arrange() {
    const double w = width(), h = height(), g = theme_.px(gap);
    const bool where = explaining();
    const int box = int(std::lround(theme_.px(box_height)));
    const QFontMetricsF text(theme_.font(text_size)), small(theme_.font(small_size));
    for (QWidget* widget :
         std::initializer_list<QWidget*>{map_, histogram_, norm_, array_box_, scale_box_, numbers_copy_, table_copy_})
        widget->setVisible(!where && array());
    gradient_toggle_->setVisible(!where && array() && array()->weights);
    where_->setVisible(!where && map_->current());
    zoom_in_->setVisible(!where && map_->canZoomIn() && array());
    zoom_out_->setVisible(!where && map_->canZoomOut() && array());
    provenance_->setVisible(where);
    close_where_->setVisible(where);
    follow_->setVisible(where && explained_);
    part_->setVisible(array() != nullptr);

    double y = 0;
    const bool one_of_many = which_->count() > 0;
    const double first = one_of_many ? std::floor((w - g) * 0.48) : w;
    part_->setGeometry(0, 0, int(first), box);
    which_->setGeometry(int(first + g), 0, int(w - first - g), box);
    which_->setVisible(one_of_many && array());
    y += box + g;
    if (where) {
        const QSize size = close_where_->sizeHint();
        close_where_->setGeometry(0, int(y), size.width(), size.height());
        follow_->placeAt(int(w), int(y) + size.height());
        y += size.height() + g;
        provenance_->setGeometry(0, int(y), int(w), std::max(0, int(h - y)));
        return;
    }
    array_box_->setGeometry(0, int(y), int(w), box);
    y += box + g;

    // From below: copies and zoom. From above: the map, as high as it can use, what is said of it, scale and charts.
    const QSize foot = numbers_copy_->sizeHint();
    double bottom = h - foot.height();
    double x = 0;
    for (TextToggle* t : {numbers_copy_, table_copy_}) {
        const QSize size = t->sizeHint();
        t->setGeometry(int(x), int(bottom), size.width(), size.height());
        x += size.width() + theme_.px(12);
    }
    double right = w;
    for (TextToggle* t : {zoom_in_, zoom_out_}) {
        const QSize size = t->sizeHint();
        right -= size.width();
        t->setGeometry(int(right), int(bottom), size.width(), size.height());
        right -= theme_.px(10);
    }
    if (right < x) {  // longer languages: zoom has a line of its own
        bottom -= foot.height() + 2;
        for (TextToggle* t : {zoom_in_, zoom_out_}) t->move(t->x(), int(bottom));
    }
    bottom -= g;
    const double line = std::ceil(text.height()),
                 note_high = std::max<double>(std::ceil(small.height()), foot.height());
    double scale_wide = 0;
    for (int i = 0; i < scale_box_->count(); ++i)
        scale_wide = std::max(scale_wide, QFontMetricsF(scale_box_->font()).horizontalAdvance(scale_box_->itemText(i)));
    scale_wide += theme_.px(42);
    const bool legend_beside = w - scale_wide - g >= theme_.px(90);
    const double legend_high = legend_beside ? box : box + g + theme_.px(22);
    const double said = note_high + 2 + line + g + legend_high;
    const double chart = theme_.px(chart_height), room = bottom - y - said;
    const bool norms = array() && array()->weights;
    const bool with_histogram = room - chart - g >= theme_.px(least_map);
    const bool with_norm = norms && room - 2 * (chart + g) >= theme_.px(least_map);
    const int charts = int(with_histogram) + int(with_norm);
    const double most_map = std::max(10.0, room - charts * (chart + g));
    const double map_high = std::min(most_map, std::max<double>(theme_.px(40), map_->preferredHeight(int(w))));
    const double chart_high =
        charts == 0 ? 0 : std::min(chart * 1.8, chart + std::floor((most_map - map_high) / charts));
    norm_->setVisible(with_norm && array());
    histogram_->setVisible(with_histogram && array());
    map_->setGeometry(0, int(y), int(w), int(map_high));
    y += map_high + 2;
    const QSize toggle = gradient_toggle_->isVisibleTo(this) ? gradient_toggle_->sizeHint() : QSize(0, 0);
    gradient_toggle_->setGeometry(int(w) - toggle.width(), int(y + (note_high - toggle.height()) / 2), toggle.width(),
                                  toggle.height());
    note_ = QRectF(0, y, w - (toggle.width() > 0 ? toggle.width() + theme_.px(8) : 0), note_high);
    y += note_high;
    readout_ = QRectF(0, y, w, line);
    const QSize link = where_->sizeHint();
    where_->setGeometry(int(w) - link.width(), int(y + (line - link.height()) / 2), link.width(), link.height());
    y += line + g;
    if (legend_beside) {
        scale_box_->setGeometry(int(w - scale_wide), int(y), int(scale_wide), box);
        legend_ = QRectF(0, y, w - scale_wide - theme_.px(10), box);
    } else {
        legend_ = QRectF(0, y, w, theme_.px(22));
        scale_box_->setGeometry(0, int(y + theme_.px(22) + g), int(w), box);
    }
    y += legend_high + g;
    for (QWidget* c : std::initializer_list<QWidget*>{histogram_, norm_}) {
        if (c == histogram_ ? !with_histogram : !with_norm) continue;
        c->setGeometry(0, int(y), int(w), int(chart_high));
        y += chart_high + g;
    }
    update();
}

QString InspectorView::cellText(std::size_t i) const {
    const InspectedArray* a = array();
    return a ? Inspection::meaning(*a, i, feed_.phrase().get(), wordOf()) : QString();
}

void InspectorView::paintEvent(QPaintEvent*) {
    labels_.clear();
    if (!feed_.active()) QTimer::singleShot(0, this, &InspectorView::want);
    if (explaining() || !array() || values_.empty()) return;
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    const QFontMetricsF small(theme_.font(small_size));
    painter.setFont(theme_.font(small_size));
    painter.setPen(theme_.muted);
    const InspectedArray& a = *array();
    QString note;
    if (a.rows > 1) {
        const auto plural = [](InspectedArray::Axis axis) {
            switch (axis) {
                case InspectedArray::Axis::dimension:
                    return tr("dims");
                case InspectedArray::Axis::unit:
                    return tr("units");
                case InspectedArray::Axis::token:
                    return tr("words");
                default:
                    return tr("experts");
            }
        };
        note = tr("%1 %2 down, %3 %4 across")
                   .arg(countText(a.rows), plural(a.row_axis), countText(a.columns), plural(a.column_axis));
    } else {
        note = tr("in lines of %1").arg(grid_columns_);
    }
    if (map_->reduction() > 1) note = tr("a point is the largest of %1 numbers").arg(countText(map_->reduction()));
    labels_.draw(painter, note_, Qt::AlignLeft | Qt::AlignVCenter, elided(small, note, note_.width()));

    const auto cell = map_->hovered() ? map_->hovered() : map_->current();
    const QFontMetricsF text(theme_.font(text_size));
    const double link = where_->isVisibleTo(this) ? where_->width() + theme_.px(8) : 0;
    if (cell && *cell < values_.size()) {
        const auto value = double(values_[*cell]);
        const QString number = a.on_off && value == 0 ? tr("0, off")
                               : gradient()           ? signedValueText(value, 4)
                                                      : valueText(value, 4);
        painter.setFont(theme_.font(text_size, QFont::DemiBold));
        painter.setPen(theme_.ink);
        const QFontMetricsF strong(painter.font());
        labels_.draw(painter, readout_, Qt::AlignLeft | Qt::AlignVCenter, number);
        const double x = tabularWidth(strong, number) + theme_.px(8);
        painter.setFont(theme_.font(text_size));
        painter.setPen(theme_.muted);
        labels_.draw(painter, readout_.adjusted(x, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter,
                     elided(text, cellText(*cell), readout_.width() - x - link));
    } else {
        painter.setFont(theme_.font(text_size));
        labels_.draw(painter, readout_, Qt::AlignLeft | Qt::AlignVCenter,
                     elided(text, tr("Point at a cell; click: where it comes from"), readout_.width()));
    }
    // The colour scale with its ends.
    const double bar = theme_.px(7);
    const QRectF strip(legend_.left(), legend_.top() + theme_.px(3), legend_.width(), bar);
    constexpr int steps = 48;
    for (int i = 0; i < steps; ++i) {
        const double share = gradient() ? double(i) / (steps - 1) : 2.0 * i / (steps - 1) - 1;
        painter.fillRect(
            QRectF(strip.left() + strip.width() * i / steps, strip.top(), strip.width() / steps + 0.6, bar),
            Inspection::color(share * limit_, limit_, gradient(), theme_));
    }
    painter.setFont(theme_.font(9.5));
    painter.setPen(theme_.muted);
    const QRectF ends(legend_.left(), strip.bottom(), legend_.width(), legend_.bottom() - strip.bottom());
    labels_.draw(painter, ends, Qt::AlignLeft | Qt::AlignVCenter,
                 gradient() ? QStringLiteral("0") : valueText(-limit_, 2));
    labels_.draw(painter, ends, Qt::AlignRight | Qt::AlignVCenter,
                 gradient() ? QStringLiteral("±") + valueText(limit_, 2) : signedValueText(limit_, 2));
}

void InspectorView::resizeEvent(QResizeEvent* event) {
    View::resizeEvent(event);
    arrange();
}

void InspectorView::showEvent(QShowEvent* event) {
    View::showEvent(event);
    followed_expert_ = session_.focusedExpert();
    takeStructure();
}

void InspectorView::hideEvent(QHideEvent* event) {
    View::hideEvent(event);
    feed_.want({});
}

void InspectorView::changeEvent(QEvent* event) {
    View::changeEvent(event);
    if (event->type() == QEvent::LanguageChange) {
        takeTarget();
        arrange();
    }
}

void InspectorView::keyPressEvent(QKeyEvent* event) {
    if (event->matches(QKeySequence::Copy)) {
        if (explaining())
            provenance_->copyChain();
        else
            copyText(tableText(), *table_copy_, tr("Copied"), theme_);
    } else if (event->key() == Qt::Key_Backspace && explaining() && !provenance_->canGoBack()) {
        close_where_->click();
    } else {
        View::keyPressEvent(event);
    }
}

QString InspectorView::numbersText() const {
    return array() ? Inspection::text(*array(), values_) : QString();
}

Table InspectorView::table() const {
    Table table;
    table.title = title();
    const InspectedArray* a = array();
    if (!a) return table;
    table.notes = {a->title + u' ' + scope()};
    for (const RunSetting& setting : runSettings(snapshot(), {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    const auto axis = [&](InspectedArray::Axis which, std::size_t at) {
        return Inspection::axisText(which, at, feed_.phrase().get(), wordOf());
    };
    const auto number = [](float v) { return QString::fromStdString(to_text(v)); };
    if (a->rows == 1) {
        table.columns = {tr("index"), tr("meaning"), a->title};
        for (std::size_t i = 0; i < values_.size(); ++i)
            table.rows.push_back({QString::number(i), axis(a->column_axis, i), number(values_[i])});
        return table;
    }
    table.columns = {a->title};
    for (std::size_t c = 0; c < a->columns; ++c) table.columns.push_back(axis(a->column_axis, c));
    for (std::size_t r = 0; r < a->rows && (r + 1) * a->columns <= values_.size(); ++r) {
        std::vector<QString> row{axis(a->row_axis, r)};
        for (std::size_t c = 0; c < a->columns; ++c) row.push_back(number(values_[r * a->columns + c]));
        table.rows.push_back(std::move(row));
    }
    return table;
}

QString InspectorView::tableText() const {
    const Table all = table();
    QString text;
    const auto line = [&](const std::vector<QString>& cells) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i > 0) text += u'\t';
            text += cells[i];
        }
        text += u'\n';
    };
    line(all.columns);
    for (const std::vector<QString>& row : all.rows) line(row);
    return text;
}

QString InspectorView::labelFault() const {
    if (explaining()) return provenance_->labelFault();
    for (const QString& fault :
         {labels_.fault(QRectF(rect())), histogram_->isVisible() ? histogram_->labelFault() : QString(),
          norm_->isVisible() ? norm_->labelFault() : QString()})
        if (!fault.isEmpty()) return fault;
    return {};
}

}  // namespace moe::app
