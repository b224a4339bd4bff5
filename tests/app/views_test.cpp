#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/export/export_figure.h"
#include "app/models/axis.h"
#include "app/models/color_scale.h"
#include "app/models/run_series.h"
#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/views/accuracy_view.h"
#include "app/views/expert_load_view.h"
#include "app/views/gate_lines_view.h"
#include "app/views/heatmap_view.h"
#include "app/views/loss_view.h"
#include "app/views/next_word_view.h"
#include "app/views/time_strip_view.h"
#include "engine/core/numbers.h"
#include "tests/app/snapshots.h"

#include <QTranslator>
#include <QtTest>

using namespace moe;
using namespace moe::app;

namespace {

/// Every text 40 percent longer, as other languages are.
class Longer : public QTranslator {
public:
    QString translate(const char*, const char* source, const char*, int) const override {
        QStringList words = QString::fromUtf8(source).split(u' ');
        for (QString& word : words)
            if (!word.contains(u'%')) word += QString(int(std::ceil(0.4 * double(word.size()))), u'n');
        return words.join(u' ');
    }
    bool isEmpty() const override { return false; }
};

/// Where a view stands in the window of 1280x720: the panel's size, and what its header and margins take.
struct Place {
    const char* id;
    QRect panel;
};
constexpr int header = 31, side = 16, foot = 10;
const Place places[] = {
    {"heatmap", {260, 472, 352, 150}},  {"gate", {624, 472, 356, 150}},     {"load", {992, 68, 272, 180}},
    {"loss", {992, 260, 272, 200}},     {"accuracy", {992, 472, 272, 150}}, {"time", {260, 634, 1004, 72}},
    {"next_word", {660, 68, 316, 300}},
};

QRect contentOf(const Place& place) {
    if (place.id == std::string("time")) return place.panel.adjusted(62, 8, -16, -8);
    return place.panel.adjusted(side, header + 4, -side, -foot);
}

std::unique_ptr<MeasureView> make(const char* id, SessionController& session) {
    for (const ViewInfo& info : views())
        if (info.id == std::string(id))
            return std::unique_ptr<MeasureView>(dynamic_cast<MeasureView*>(info.create(session, nullptr)));
    return {};
}

void changeLast(History& history, double loss) {
    EpochRecord last = history.epochs.back();
    last.loss = loss;
    history.epochs.truncate(history.epochs.finished() - 1);
    history.epochs.push_back(last);
}

/// All measures in their places, on their panels: for a person's eyes.
QImage board(const std::shared_ptr<const Snapshot>& snapshot, SessionController& session, const Theme& theme,
             bool second_faces) {
    const double scale = theme.scale;
    QImage image((QSizeF(1280, 720) * scale).toSize(), QImage::Format_RGB32);
    image.fill(theme.page);
    QPainter painter(&image);
    painter.setRenderHint(QPainter::Antialiasing);
    for (const Place& place : places) {
        const auto view = make(place.id, session);
        QPalette palette;
        palette.setColor(QPalette::Window, theme.panel);
        palette.setColor(QPalette::Base, theme.panel);
        palette.setColor(QPalette::Text, theme.ink);
        view->setPalette(palette);
        view->setTheme(theme);
        const QRect content = contentOf(place);
        view->resize((QSizeF(content.size()) * scale).toSize());
        view->display(snapshot);
        view->show();
        if (auto* load = qobject_cast<ExpertLoadView*>(view.get())) load->setOverTime(second_faces);
        if (auto* gate = qobject_cast<GateLinesView*>(view.get())) gate->setNow(second_faces);
        if (auto* next = qobject_cast<NextWordView*>(view.get())) next->setPathShown(second_faces);
        QTest::qWait(40);
        const QRectF panel(QPointF(place.panel.topLeft()) * scale, QSizeF(place.panel.size()) * scale);
        painter.setPen(QPen(theme.hairline, 1));
        painter.setBrush(theme.panel);
        painter.drawRoundedRect(panel, 10 * scale, 10 * scale);
        painter.setPen(theme.ink);
        painter.setFont(theme.font(12.5, QFont::DemiBold));
        const QRectF line(panel.left() + side * scale, panel.top() + 10 * scale, panel.width() - 2 * side * scale,
                          16 * scale);
        if (place.id != std::string("time")) {
            painter.drawText(line, Qt::AlignLeft, view->title());
            drawTabular(painter, line, Qt::AlignRight, view->value());
            painter.setFont(theme.font(10.5));
            painter.setPen(theme.muted);
            if (view->value().isEmpty()) painter.drawText(line, Qt::AlignRight, view->scope());
        }
        painter.drawPixmap(QPointF(content.topLeft()) * scale, view->grab());
    }
    return image;
}

void keep(const QString& name, const QImage& image) {
    if (const QByteArray folder = qgetenv("MOELAB_PICTURES"); !folder.isEmpty())
        image.save(QString::fromLocal8Bit(folder) + u'/' + name);
}

double number(const QString& text) {
    double value = NAN;
    parse_number(text.toStdString(), value);
    return value;
}

}  // namespace

class ViewsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void contrastOfTextAndShapes();
    void textOnEveryShadeReads();
    void scalesAndAxesAreRound();
    void labelsNeverOverlap();
    void seriesKeepWhatTheyShow();
    void tablesAreTheSnapshot();
    void heatmapCellsAreTheirWeights();
    void manyCellsScroll();
    void textsAreNeverCut_data();
    void textsAreNeverCut();
    void emptyStatesSaySo();
    void divergenceIsShown();
    void chartsStaySmallAndSlow();
    void unknownWordsAreMarked();
    void timeIsTheWholeRun();
    void pictures();

private:
    SessionController session_;
};

void ViewsTest::contrastOfTextAndShapes() {
    for (const Theme& theme : {Theme::light(), Theme::darkTheme()}) {
        for (const QColor& ground : {theme.panel, theme.page, theme.track}) {
            QVERIFY(Theme::contrast(theme.ink, ground) >= 4.5);
            QVERIFY2(Theme::contrast(theme.muted, ground) >= 4.5, qPrintable(ground.name()));
        }
        for (std::size_t e = 0; e < max_coloured_experts; ++e)
            QVERIFY2(Theme::contrast(theme.expert(e), theme.panel) >= 3.0, qPrintable(theme.expert(e).name()));
        for (const QColor& shape : {theme.gradient, theme.negative, theme.positive})
            QVERIFY2(Theme::contrast(shape, theme.panel) >= 3.0, qPrintable(shape.name()));
        // Colours that stand side by side can be told apart.
        for (std::size_t a = 0; a < 4; ++a)
            for (std::size_t b = 0; b < a; ++b) {
                const QColor x = theme.expert(a), y = theme.expert(b);
                QVERIFY(std::abs(x.red() - y.red()) + std::abs(x.green() - y.green()) + std::abs(x.blue() - y.blue()) >
                        90);
            }
    }
}

void ViewsTest::textOnEveryShadeReads() {
    for (const Theme& theme : {Theme::light(), Theme::darkTheme()})
        for (int i = 0; i <= 100; ++i) {
            const QColor shade = theme.magnitude(i / 100.0);
            QVERIFY2(Theme::contrast(theme.textOn(shade), shade) >= 4.5, qPrintable(shade.name()));
        }
}

void ViewsTest::scalesAndAxesAreRound() {
    const std::vector<float> weights{0.07f, 0.44f, 0.1f, 0.39f};
    QCOMPARE(MagnitudeScale::of(weights).max, 0.5);
    QCOMPARE(MagnitudeScale::of(std::vector<float>{0.2f}).max, 0.2);
    QCOMPARE(MagnitudeScale::of(std::vector<float>{NAN, 0}).max, 1.0);
    QCOMPARE(MagnitudeScale::ofGate(std::vector<float>{0.26f}, 4).max, 0.5);
    QCOMPARE(MagnitudeScale::ofGate(weights, 4).max, 0.5);
    QCOMPARE(MagnitudeScale::ofGate(std::vector<float>{1}, 1).max, 1.0);
    QCOMPARE(evenShareText(4), QString("25\u00a0%"));
    QCOMPARE(evenShareText(8), QString("12.5\u00a0%"));
    std::vector<float> one(2048, 0.0f);
    one[1000] = 1;
    const QImage pooled = heatmapImage(one, 1, 2048, {1}, Theme::light(), 64);
    QCOMPARE(pooled.height(), 64);
    QCOMPARE(pooled.pixelColor(0, 1000 / 32), Theme::light().ink);
    QCOMPARE(pooled.pixelColor(0, 0), Theme::light().track);
    QCOMPARE(MagnitudeScale{0.5}.share(0.25), 0.5);
    QCOMPARE(MagnitudeScale{0.5}.share(7), 1.0);
    QCOMPARE(Axis::upTo(2.4, 3).step, 1.0);
    QCOMPARE(Axis::upTo(0.38, 3).step, 0.2);
    QCOMPARE(Axis::upTo(1e9, 3).step, 5e8);
    QCOMPARE(Axis::upTo(NAN, 3).max, 1.0);
    QCOMPARE(Axis::upTo(2.4, 3).ticks(), (std::vector<double>{0, 1, 2}));
    QCOMPARE(gateText(0.072), QString(".07"));
    QCOMPARE(gateText(1), QString("1.00"));
    QCOMPARE(percentText(0.173), QString("17\u00a0%"));
    QCOMPARE(percentText(0.004), QString("0.4\u00a0%"));
    QCOMPARE(lossText(0.3839), QString("0.38"));
    QCOMPARE(lossText(NAN), QString("diverged"));
    QCOMPARE(tickText(2e9, 1e9), QString("2e9"));
    QCOMPARE(tickText(0.4, 0.2), QString("0.4"));
    QCOMPARE(shownText(std::string("a\x01")), QString("a\ufffd"));
    QVERIFY(!tipText("<img src='file:///etc/passwd'>").contains("<img"));
}

void ViewsTest::labelsNeverOverlap() {
    const std::vector<std::vector<double>> cases{{10, 11, 12, 13}, {50, 50, 50}, {0, 100}, {99, 98, 3, 2, 1}, {}};
    for (const auto& wanted : cases) {
        const auto placed = spreadLabels(wanted, 12, 0, 100);
        QCOMPARE(placed.size(), wanted.size());
        for (std::size_t i = 0; i < placed.size(); ++i) {
            QVERIFY(placed[i] >= 6 - 1e-9 && placed[i] <= 94 + 1e-9);
            for (std::size_t k = 0; k < placed.size(); ++k)
                if (wanted[i] < wanted[k]) QVERIFY(placed[k] - placed[i] >= 12 - 1e-9);
        }
    }
    // Alone, a label stands where it is wanted.
    QCOMPARE(spreadLabels({40, 80}, 12, 0, 100), (std::vector<double>{40, 80}));
    const auto block = spreadLabels({50, 50, 50}, 12, 0, 100);
    QCOMPARE(block[0] + block[1] + block[2], 150.0);
}

void ViewsTest::seriesKeepWhatTheyShow() {
    const auto s = test::snapshot();
    const Series loss = epochSeries(*s->history, Measure::loss);
    QCOMPARE(loss.points.size(), s->history->epochs.size());
    QCOMPARE(loss.points.back(), QPointF(87, s->history->epochs.back().loss));
    Series many;
    for (int i = 0; i < 3001; ++i) many.points.emplace_back(i, i % 2);
    const Series thin = thinned(many, 1000);
    QVERIFY(thin.points.size() <= 1000);
    QCOMPARE(thin.points.back().x(), 3000.0);
    // A stretch of the strip is the mean of the steps in it.
    History run;
    run.num_experts = 2;
    for (std::uint64_t step = 1; step <= 8; ++step) {
        HistoryPoint point;
        point.step = step;
        run.points.push_back(point);
        const float a = float(step) / 10;
        run.load.insert(run.load.end(), {a, 1 - a});
    }
    const auto load = resampledLoad(run, 8, 16);
    QCOMPARE(load.size(), std::size_t(4 * 2));
    QCOMPARE(load[0], 0.15f);
    QCOMPARE(load[6], 0.75f);
    QCOMPARE(resampledLoad(run, 16, 16)[4], 0.3f);
    QCOMPARE(resampledLoad(run, 32, 16).size(), std::size_t(16 * 2));  // two columns a step
    // Before the first point of a run from a file nothing was recorded, and nothing is made up.
    for (HistoryPoint& point : run.points) point.step += 4;
    const auto later = resampledLoad(run, 12, 12);
    QCOMPARE(later.size(), std::size_t(12 * 2));
    for (std::size_t c = 0; c < 4; ++c) QVERIFY(std::isnan(later[2 * c]));
    QCOMPARE(later[8], 0.1f);
}

void ViewsTest::tablesAreTheSnapshot() {
    test::Shape shape;
    shape.balance_loss = 0.01;
    shape.words = {"hello", "zebra", "world", "how"};
    shape.unknown = {1};
    const auto s = test::snapshot(shape);
    const auto table = [&](const char* id) {
        const auto view = make(id, session_);
        view->display(s);
        const Table t = view->table();
        for (const auto& row : t.rows)
            if (row.size() != t.columns.size()) QTest::qFail("ragged table", __FILE__, __LINE__);
        return t;
    };
    const Table heat = table("heatmap");
    QCOMPARE(heat.columns, (std::vector<QString>{"expert", "hello", "world", "how"}));
    for (std::size_t e = 0; e < 4; ++e)
        for (std::size_t p = 0; p < 3; ++p)
            QCOMPARE(float(number(heat.rows[e][p + 1])), s->probe.gate_weights[p * 4 + e]);
    const Table load = table("load");
    for (std::size_t e = 0; e < 4; ++e) QCOMPARE(float(number(load.rows[e][1])), s->load[e]);
    const Table loss = table("loss");
    QCOMPARE(loss.rows.size(), std::size_t(87));
    QCOMPARE(number(loss.rows[40][1]), s->history->epochs[40].loss);
    QCOMPARE(number(loss.rows[40][2]), s->history->epochs[40].balance);
    QCOMPARE(number(table("accuracy").rows[86][1]), s->history->epochs[86].accuracy);
    const Table gate = table("gate");
    QCOMPARE(gate.rows.size(), s->history->gate_steps.size());
    QCOMPARE(float(number(gate.rows[9][3])), s->history->gate[9 * 3 * 4 + 2]);
    const Table next = table("next_word");
    QCOMPARE(next.rows[0][1], QString("world"));
    QCOMPARE(float(number(next.rows[1][3])), s->probe.focused.top[1].probability);
    QCOMPARE(table("time").rows.size(), s->history->points.size());
}

void ViewsTest::heatmapCellsAreTheirWeights() {
    const auto s = test::snapshot();
    for (const Theme& theme : {Theme::light(), Theme::darkTheme()}) {
        HeatmapView view(session_, nullptr);
        view.setTheme(theme);
        view.resize(320, 105);
        view.display(s);
        view.show();
        QTest::qWait(40);
        const QImage image = view.grab().toImage();
        for (std::size_t p = 0; p < 4; ++p)
            for (std::size_t e = 0; e < 4; ++e) {
                const QRectF cell = view.cellRect(p, e);
                QCOMPARE(view.cellAt(cell.center()), (HeatmapView::Cell{p, e}));
                const QColor expected = view.scale().color(theme, double(s->probe.gate_weights[p * 4 + e]));
                const QColor seen = image.pixelColor((cell.topLeft() + QPointF(6, 4)).toPoint());
                QVERIFY2(std::abs(seen.red() - expected.red()) <= 2 && std::abs(seen.blue() - expected.blue()) <= 2,
                         qPrintable(seen.name() + u' ' + expected.name()));
            }
    }
    SessionController session;  // a click wakes it
    HeatmapView view(session, nullptr);
    view.resize(320, 105);
    view.display(s);
    view.show();
    QTest::mouseClick(&view, Qt::LeftButton, {}, view.cellRect(2, 1).center().toPoint());
    QCOMPARE(session.focusedExpert(), std::optional<std::size_t>(1));
}

void ViewsTest::manyCellsScroll() {
    test::Shape shape;
    shape.experts = 2048;
    shape.words.assign(500, "word");
    shape.epochs = 0;
    const auto s = test::snapshot(shape);
    HeatmapView view(session_, nullptr);
    view.resize(320, 200);
    view.display(s);
    view.show();
    QTest::qWait(40);
    // Of so many experts the whole picture comes first.
    QAbstractButton* all = view.findChild<QAbstractButton*>();
    QVERIFY(all->isVisible() && all->isChecked());
    all->setChecked(false);
    const auto bars = view.findChildren<QScrollBar*>();
    QCOMPARE(bars.size(), 2);
    for (QScrollBar* bar : bars) QVERIFY(bar->isVisible() && bar->maximum() > 0);
    for (QScrollBar* bar : bars) bar->setValue(bar->maximum());
    const QImage image = view.grab().toImage();
    QVERIFY2(view.labelFault().isEmpty(), qPrintable(view.labelFault()));
    const QRectF last = view.cellRect(499, 2047);
    QCOMPARE(view.cellAt(last.center()), (HeatmapView::Cell{499, 2047}));
    // Shown whole: an image, every cell within the panel.
    all->setChecked(true);
    view.grab();
    QVERIFY(QRectF(view.rect()).contains(view.cellRect(499, 2047)));
    QVERIFY2(view.labelFault().isEmpty(), qPrintable(view.labelFault()));
}

void ViewsTest::textsAreNeverCut_data() {
    QTest::addColumn<int>("experts");
    QTest::addColumn<int>("words");
    QTest::addColumn<int>("epochs");
    QTest::addColumn<double>("scale");
    QTest::addColumn<bool>("longer");
    for (const bool longer : {false, true})
        for (const double scale : {1.0, 1.5})
            for (const auto& [experts, words, epochs] : {std::tuple{4, 4, 87},
                                                         {4, 4, 0},
                                                         {4, 4, 1},
                                                         {1, 1, 3},
                                                         {8, 12, 20},
                                                         {9, 5, 20},
                                                         {64, 60, 50},
                                                         {4, 0, 5}})
                QTest::addRow("%d experts %d words %d epochs x%.1f %s", experts, words, epochs, scale,
                              longer ? "longer" : "")
                    << experts << words << epochs << scale << longer;
}

void ViewsTest::textsAreNeverCut() {
    QFETCH(int, experts);
    QFETCH(int, words);
    QFETCH(int, epochs);
    QFETCH(double, scale);
    QFETCH(bool, longer);
    Longer translator;
    if (longer) QCoreApplication::installTranslator(&translator);
    test::Shape shape;
    shape.experts = std::size_t(experts);
    shape.words.clear();
    const char* some[] = {"hello", "world", "how", "are", "you", "today", "my", "friend"};
    for (int i = 0; i < words; ++i) shape.words.push_back(some[i % 8]);
    shape.epochs = std::size_t(epochs);
    shape.balance_loss = 0.01;
    const auto s = test::snapshot(shape);
    Theme theme = Theme::light();
    theme.scale = scale;
    for (const Place& place : places)
        for (const bool second : {false, true}) {
            const auto view = make(place.id, session_);
            view->setTheme(theme);
            view->resize((QSizeF(contentOf(place).size()) * scale).toSize());
            view->display(s);
            view->show();
            if (auto* load = qobject_cast<ExpertLoadView*>(view.get())) load->setOverTime(second);
            if (auto* gate = qobject_cast<GateLinesView*>(view.get())) gate->setNow(second);
            if (auto* next = qobject_cast<NextWordView*>(view.get())) next->setPathShown(second);
            view->grab();
            QVERIFY2(view->labelFault().isEmpty(),
                     qPrintable(QStringLiteral("%1: %2").arg(QLatin1String(place.id), view->labelFault())));
        }
    if (longer) QCoreApplication::removeTranslator(&translator);
}

void ViewsTest::emptyStatesSaySo() {
    test::Shape shape;
    shape.epochs = 0;
    const auto s = test::snapshot(shape);
    for (const Place& place : places) {
        const auto view = make(place.id, session_);
        view->resize(contentOf(place).size());
        view->display(s);
        view->show();
        const QImage image = view->grab().toImage();
        QVERIFY2(!image.isNull() && !view->accessibleDescription().isEmpty(), place.id);
        QVERIFY(!view->accessibleName().isEmpty());
        view->display(std::make_shared<const Snapshot>());  // before the first model
        QTest::qWait(40);
        view->grab();
    }
    LossView loss(session_, nullptr);
    loss.display(s);
    loss.show();
    QCOMPARE(loss.value(), QString());
    QVERIFY(loss.accessibleDescription().contains("No batch"));
}

void ViewsTest::divergenceIsShown() {
    const auto trained = test::snapshot();
    auto history = std::make_shared<History>(*trained->history);
    history->points.back().loss = NAN;
    changeLast(*history, std::numeric_limits<double>::infinity());
    auto s = std::make_shared<Snapshot>(*trained);
    s->history = history;
    s->state = SessionState::failed;
    LossView view(session_, nullptr);
    view.resize(240, 155);
    view.display(s);
    view.show();
    QCOMPARE(view.value(), QString("diverged"));
    const auto* chart = view.findChild<ChartPanel*>();
    QCOMPARE(chart->pointsDrawn(), history->points.size() - 1 + history->epochs.size() - 1);
    view.grab();
    QVERIFY2(view.labelFault().isEmpty(), qPrintable(view.labelFault()));
}

void ViewsTest::chartsStaySmallAndSlow() {
    test::Shape shape;
    shape.epochs = 5000;
    shape.steps_per_epoch = 1;
    const auto s = test::snapshot(shape);
    LossView view(session_, nullptr);
    view.resize(240, 155);
    view.display(s);
    view.show();
    QVERIFY(view.findChild<ChartPanel*>()->pointsDrawn() <= 2 * max_chart_points);
    // At most 30 pictures a second, however often the session speaks; the last one is always shown.
    int changes = 0;
    connect(&view, &View::headerChanged, this, [&] { ++changes; });
    QElapsedTimer clock;
    clock.start();
    auto last = std::make_shared<Snapshot>(*s);
    while (clock.elapsed() < 300) {
        auto history = std::make_shared<History>(*s->history);
        changeLast(*history, 1 + 0.01 * double(clock.elapsed()));
        last = std::make_shared<Snapshot>(*s);
        last->history = history;
        view.display(last);
        QTest::qWait(2);
    }
    QVERIFY2(changes <= 11, qPrintable(QString::number(changes)));
    QTest::qWait(60);
    QCOMPARE(view.value(), lossText(last->history->epochs.back().loss));
    QVERIFY(view.accessibleDescription().contains(view.value()));
}

void ViewsTest::unknownWordsAreMarked() {
    test::Shape shape;
    shape.words = {"hello", "zebra", "world"};
    shape.unknown = {1};
    const auto s = test::snapshot(shape);
    NextWordView view(session_, nullptr);
    view.resize(300, 300);
    view.display(s);
    view.show();
    view.setPathShown(true);
    const auto path = view.servingPath();
    QCOMPARE(path.size(), std::size_t(7));
    QCOMPARE(path[0].value, QString("“hello zebra world”"));
    QVERIFY(view.scope().contains("hello"));  // the focus is the first prefix
    auto whole = std::make_shared<Snapshot>(*s);
    whole->probe.focus = 1;
    view.display(whole);
    QTest::qWait(50);
    const auto stages = view.servingPath();
    QCOMPARE(stages[1].value, QString("hello · zebra (unknown) · world"));
    QCOMPARE(stages[2].value, QString("1 · – · 3"));
    QCOMPARE(stages[3].value, QString("0 0 1 3"));
    QCOMPARE(stages[5].value, QString("1"));
    QCOMPARE(stages[6].value, QString("world"));
    QVERIFY(view.value().startsWith("50"));
    HeatmapView heat(session_, nullptr);
    heat.display(s);
    QVERIFY(heat.scope().contains("zebra"));
}

void ViewsTest::timeIsTheWholeRun() {
    test::Shape shape;
    auto s = test::snapshot(shape);
    QCOMPARE(TimeStripView::plannedSteps(*s), std::uint64_t(200));
    s->step = 175;
    QCOMPARE(TimeStripView::plannedSteps(*s), std::uint64_t(200));
    s->epoch = 100, s->step = 200;
    QCOMPARE(TimeStripView::plannedSteps(*s), std::uint64_t(200));
    s->steps_per_epoch = 3;  // the batch was changed on the way: the run is as long as it was
    QCOMPARE(TimeStripView::plannedSteps(*s), std::uint64_t(200));
    QVERIFY(!epochsPerStep(*s));
    s->target_epochs = 110;
    QCOMPARE(TimeStripView::plannedSteps(*s), std::uint64_t(230));
}

void ViewsTest::pictures() {
    if (qgetenv("MOELAB_PICTURES").isEmpty()) QSKIP("MOELAB_PICTURES names the folder for pictures to look at");
    test::Shape shape;
    for (const bool dark : {false, true})
        for (const int scale : {2, 3}) {
            Theme theme = dark ? Theme::darkTheme() : Theme::light();
            theme.scale = scale / 2.0;
            const QString suffix = QStringLiteral("-%1-%2.png").arg(dark ? "dark" : "light").arg(scale);
            keep("trained" + suffix, board(test::snapshot(shape), session_, theme, false));
            keep("second" + suffix, board(test::snapshot(shape), session_, theme, true));
            if (scale == 3) continue;
            test::Shape other = shape;
            other.epochs = 0;
            keep("untrained" + suffix, board(test::snapshot(other), session_, theme, false));
            other.epochs = 3;
            other.balance_loss = 0.1;
            keep("early" + suffix, board(test::snapshot(other), session_, theme, false));
            other.epochs = 30;
            other.experts = 64;
            other.words.assign(40, "lighthouse");
            keep("many" + suffix, board(test::snapshot(other), session_, theme, false));
            keep("many2" + suffix, board(test::snapshot(other), session_, theme, true));
            other.experts = 8;
            other.words = {"hello", "zebra", "world", "extraordinarily"};
            other.unknown = {1};
            keep("eight" + suffix, board(test::snapshot(other), session_, theme, false));
        }
    Longer translator;
    QCoreApplication::installTranslator(&translator);
    keep("longer.png", board(test::snapshot(shape), session_, Theme::light(), false));
    keep("longer2.png", board(test::snapshot(shape), session_, Theme::light(), true));
    QCoreApplication::removeTranslator(&translator);
}

QTEST_MAIN(ViewsTest)
#include "views_test.moc"
