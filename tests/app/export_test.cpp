#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/export/csv.h"
#include "app/export/export_figure.h"
#include "app/models/text_format.h"
#include "app/shell/figure_sources.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "tests/app/snapshots.h"

#include <QImage>
#include <QStringList>
#include <QTemporaryDir>
#include <QXmlStreamReader>
#include <QtTest>

#include <filesystem>

using namespace moe;
using namespace moe::app;

namespace {

/// With the stage's painter, as the window gives it.
FigureOptions withStage(FigureFormat format = FigureFormat::png) {
    FigureOptions options;
    options.format = format;
    options.stage = [](const Snapshot& s, const Theme& theme) { return stagePicture(s, theme, {}); };
    return options;
}

/// The other half of the CSV format: cells as they were before quoting.
std::vector<QStringList> readCsv(const QByteArray& bytes) {
    std::vector<QStringList> rows;
    for (const QString& line : QString::fromUtf8(bytes).split(u'\n')) {
        if (line.isEmpty() || line.startsWith(u'#')) continue;
        QStringList cells{QString()};
        bool quoted = false;
        for (qsizetype i = 0; i < line.size(); ++i) {
            if (line[i] == u'"') {
                if (quoted && i + 1 < line.size() && line[i + 1] == u'"')
                    cells.last() += line[i++];
                else
                    quoted = !quoted;
            } else if (line[i] == u',' && !quoted) {
                cells << QString();
            } else {
                cells.last() += line[i];
            }
        }
        rows.push_back(cells);
    }
    return rows;
}

double number(const QString& text) {
    double value = NAN;
    parse_number(text.toStdString(), value);
    return value;
}

/// All text of an SVG; empty where it is not well-formed.
QString svgText(const QByteArray& bytes) {
    QXmlStreamReader xml(bytes);
    QString text;
    while (!xml.atEnd())
        if (xml.readNext() == QXmlStreamReader::Characters) (text += xml.text()) += u'\n';
    return xml.hasError() ? QString() : text;
}

std::vector<std::string> manyWords(std::size_t n) {
    std::vector<std::string> words;
    const char* some[] = {"harbour", "the", "wind", "a", "lighthouse", "of", "sailor", "extraordinarily", "sea", "by"};
    for (std::size_t i = 0; i < n; ++i) words.push_back(some[i % 10]);
    return words;
}

/// For a person's eyes: pictures of the run go where MOELAB_PICTURES says.
void keep(const char* name, const QByteArray& bytes) {
    if (const QByteArray folder = qgetenv("MOELAB_PICTURES"); !folder.isEmpty()) {
        QFile file(QString::fromLocal8Bit(folder) + u'/' + QLatin1String(name));
        if (file.open(QIODevice::WriteOnly)) file.write(bytes);
    }
}

}  // namespace

class ExportTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void heatmapCsvIsTheSnapshot();
    void curveCsvIsTheHistory();
    void otherTablesAreTheSnapshot();
    void cellsOfStrangersAreQuoted();
    void pngSizes();
    void svgIsXmlWithTitleAndSettings();
    void pdfIsOnePage();
    void longTextsAndManyExperts();
    void nothingToShowIsASentence();
    void filesAndTheirEndings();
};

void ExportTest::heatmapCsvIsTheSnapshot() {
    test::Shape shape;
    shape.words = {"hello", "zebra", "world", "how"};
    shape.unknown = {1};
    shape.target = 130;  // trained on: no longer the experiment's own 100
    const auto s = test::snapshot(shape);
    FigureOptions options;
    options.format = FigureFormat::csv;
    options.corpusName = QStringLiteral("four lines");
    const QByteArray bytes = renderFigure(FigureKind::heatmap, *s, options);
    QVERIFY(bytes.startsWith("# MoE Lab"));
    for (const char* note : {"# corpus: four lines\n", "# num_experts=4\n", "# epochs=130\n", "# seed=1\n", "# step: 174\n",
                             "# unknown and left out: zebra\n"})
        QVERIFY2(bytes.contains(note), note);
    const auto rows = readCsv(bytes);
    QCOMPARE(rows.size(), std::size_t(5));
    QCOMPARE(rows[0], QStringList({"expert", "hello", "world", "how"}));
    for (std::size_t e = 0; e < 4; ++e) {
        QCOMPARE(rows[e + 1][0], QString(QChar(ushort(u'A' + e))));
        for (std::size_t p = 0; p < 3; ++p)
            QCOMPARE(float(number(rows[e + 1][qsizetype(p + 1)])), s->probe.gate_weights[p * 4 + e]);
    }
}

void ExportTest::curveCsvIsTheHistory() {
    test::Shape shape;
    shape.balance_loss = 0.01;
    const auto s = test::snapshot(shape);
    FigureOptions options;
    options.format = FigureFormat::csv;
    const auto loss = readCsv(renderFigure(FigureKind::loss, *s, options));
    QCOMPARE(loss.size(), s->history->epochs.size() + 1);
    for (std::size_t i = 0; i < s->history->epochs.size(); ++i) {
        QCOMPARE(number(loss[i + 1][0]), double(i + 1));
        QCOMPARE(number(loss[i + 1][1]), s->history->epochs[i].loss);
        QCOMPARE(number(loss[i + 1][2]), s->history->epochs[i].balance);
    }
    const auto accuracy = readCsv(renderFigure(FigureKind::accuracy, *s, options));
    QCOMPARE(number(accuracy.back()[1]), s->history->epochs.back().accuracy);
    const auto load = readCsv(renderFigure(FigureKind::load, *s, options));
    QCOMPARE(load.size(), s->history->points.size() + 1);
    QCOMPARE(float(number(load[7][3])), s->history->load[6 * 4 + 2]);
}

void ExportTest::otherTablesAreTheSnapshot() {
    const auto s = test::snapshot();
    const FigureOptions options = withStage(FigureFormat::csv);
    const auto stage = readCsv(renderFigure(FigureKind::stage, *s, options));
    QCOMPARE(stage.size(), s->probe.words.size() + 1);
    for (std::size_t p = 0; p < 4; ++p) {
        QCOMPARE(stage[p + 1][0].toStdString(), s->probe.words[p].text);
        for (std::size_t e = 0; e < 4; ++e)
            QCOMPARE(float(number(stage[p + 1][qsizetype(3 + e)])), s->probe.gate_weights[p * 4 + e]);
    }
    const auto gate = readCsv(renderFigure(FigureKind::gate, *s, options));
    QCOMPARE(gate.size(), s->history->gate_steps.size() + 1);
    for (std::size_t i = 0; i < s->history->gate_steps.size(); ++i) {
        QCOMPARE(number(gate[i + 1][0]), double(s->history->gate_steps[i]));
        QCOMPARE(float(number(gate[i + 1][2])), s->history->gate[i * 16 + s->probe.focus * 4 + 1]);
    }
    const auto words = readCsv(renderFigure(FigureKind::next_word, *s, options));
    QCOMPARE(words.size(), s->probe.focused.top.size() + 1);
    for (std::size_t i = 0; i < s->probe.focused.top.size(); ++i) {
        QCOMPARE(words[i + 1][1].toStdString(), s->probe.focused.top[i].word);
        QCOMPARE(float(number(words[i + 1][3])), s->probe.focused.top[i].probability);
    }
    const auto run = readCsv(renderFigure(FigureKind::time, *s, options));
    QCOMPARE(run.size(), s->history->points.size() + 1);
    QCOMPARE(float(number(run[9][1])), s->history->points[8].loss);
    QCOMPARE(float(number(run[9][2])), s->history->points[8].accuracy);
    QCOMPARE(float(number(run[9][6])), s->history->load[8 * 4 + 3]);
}

void ExportTest::cellsOfStrangersAreQuoted() {
    QCOMPARE(CsvWriter::cell("=1+1"), QString("\"'=1+1\""));
    QCOMPARE(CsvWriter::cell("@cmd"), QString("\"'@cmd\""));
    QCOMPARE(CsvWriter::cell("+x"), QString("\"'+x\""));
    QCOMPARE(CsvWriter::cell("-x"), QString("\"'-x\""));
    QCOMPARE(CsvWriter::cell("-1.5e-07"), QString("-1.5e-07"));
    QCOMPARE(CsvWriter::cell("a,b"), QString("\"a,b\""));
    QCOMPARE(CsvWriter::cell("say \"hi\""), QString("\"say \"\"hi\"\"\""));
    QCOMPARE(CsvWriter::cell("hello"), QString("hello"));
    test::Shape shape;
    shape.words = {"=2+3", "a,b", "line\nbreak"};
    FigureOptions options;
    options.format = FigureFormat::csv;
    const auto s = test::snapshot(shape);
    const QByteArray bytes = renderFigure(FigureKind::heatmap, *s, options);
    QVERIFY(bytes.contains("\"'=2+3\",\"a,b\",\"line"));
    for (const QByteArray& line : bytes.split('\n')) QVERIFY(!line.startsWith('=') && !line.contains(",="));
}

void ExportTest::pngSizes() {
    const auto s = test::snapshot();
    for (const FigureKind kind : figureKinds()) {
        FigureOptions options = withStage();
        const QSize size = figureSize(kind, *s, options);
        QVERIFY(size.width() >= 400 && size.width() <= 1000 && size.height() >= 200);
        for (const int scale : {1, 2, 4}) {
            options.scale = scale;
            const QByteArray bytes = renderFigure(kind, *s, options);
            const QImage image = QImage::fromData(bytes, "PNG");
            QCOMPARE(image.size(), size * scale);
            QCOMPARE(image.pixelColor(1, 1), QColor(Qt::white));
            QCOMPARE(image.text("Title"), figureName(kind));
            if (scale == 2) keep(qPrintable(FigureSource(kind).file + ".png"), bytes);
            if (scale == 1) {
                options.theme = Theme::darkTheme();
                keep(qPrintable(FigureSource(kind).file + "-dark.png"), renderFigure(kind, *s, options));
                options.theme = Theme::light();
            }
        }
    }
    FigureOptions dark;
    dark.theme = Theme::darkTheme();
    QCOMPARE(QImage::fromData(renderFigure(FigureKind::heatmap, *s, dark)).pixelColor(1, 1), dark.theme.panel);
}

void ExportTest::svgIsXmlWithTitleAndSettings() {
    test::Shape shape;
    shape.words = {"hello", "<b>&\"",
                   "a\x01"
                   "b"};
    const auto s = test::snapshot(shape);
    for (const FigureKind kind : figureKinds()) {
        FigureOptions options = withStage(FigureFormat::svg);
        options.corpusName = QStringLiteral("Tom & Jerry <1>");
        const QByteArray bytes = renderFigure(kind, *s, options);
        const QString text = svgText(bytes);
        QVERIFY2(!text.isEmpty(), bytes.left(200).constData());
        QVERIFY(text.contains(figureName(kind)));
        QVERIFY(text.contains("learning rate 0.001"));
        QVERIFY(text.contains("Tom & Jerry <1>"));
        QVERIFY(bytes.contains("<text") && bytes.contains("<path") && !bytes.contains("<image"));
        if (kind == FigureKind::heatmap) QVERIFY(text.contains("<b>&\"") && text.contains("gate weight"));
        if (kind == FigureKind::accuracy) QVERIFY(text.contains("best possible: 11 of 12"));
        if (kind == FigureKind::load) QVERIFY(text.contains("even: 25"));
        keep(qPrintable(FigureSource(kind).file + ".svg"), bytes);
    }
}

void ExportTest::pdfIsOnePage() {
    const auto s = test::snapshot();
    for (const FigureKind kind : figureKinds()) {
        const FigureOptions options = withStage(FigureFormat::pdf);
        const QByteArray bytes = renderFigure(kind, *s, options);
        QVERIFY(bytes.startsWith("%PDF-"));
        QVERIFY(bytes.trimmed().endsWith("%%EOF"));
        QCOMPARE(bytes.count("/Type /Page\n"), 1);
        keep(qPrintable(FigureSource(kind).file + ".pdf"), bytes);
    }
}

void ExportTest::longTextsAndManyExperts() {
    const struct {
        std::size_t experts, words;
        const char* name;
    } cases[] = {{4, 60, "long.png"}, {64, 12, "experts64.png"},  {2048, 12, "experts2048.png"},
                 {4, 500, "500.png"}, {2048, 500, "largest.png"}, {1, 1, "smallest.png"}};
    for (const auto& c : cases) {
        test::Shape shape;
        shape.experts = c.experts;
        shape.words = manyWords(c.words);
        shape.epochs = 1;
        const auto s = test::snapshot(shape);
        const QImage image = QImage::fromData(renderFigure(FigureKind::heatmap, *s, {}));
        QVERIFY(!image.isNull());
        QVERIFY2(image.width() <= 1000 && image.height() <= 5600, qPrintable(QString::number(image.height())));
        keep(c.name, renderFigure(FigureKind::heatmap, *s, {}));
        if (c.words == 12) keep(qPrintable(QLatin1String("load-") + c.name), renderFigure(FigureKind::load, *s, {}));
    }
}

void ExportTest::nothingToShowIsASentence() {
    test::Shape shape;
    shape.epochs = 0;
    const auto untrained = test::snapshot(shape);
    renderFigure(FigureKind::heatmap, *untrained, {});  // routing exists before training
    for (const FigureKind kind : {FigureKind::load, FigureKind::loss, FigureKind::accuracy})
        QVERIFY_EXCEPTION_THROWN(renderFigure(kind, *untrained, {}), Error);
    shape.words = {"zebra"};
    shape.unknown = {0};
    QVERIFY_EXCEPTION_THROWN(renderFigure(FigureKind::heatmap, *test::snapshot(shape), {}), Error);
    QVERIFY_EXCEPTION_THROWN(renderFigure(FigureKind::heatmap, Snapshot{}, {}), Error);
}

void ExportTest::filesAndTheirEndings() {
    QCOMPARE(figureFormat("a.PNG"), FigureFormat::png);
    QCOMPARE(figureFormat("a.b.svg"), FigureFormat::svg);
    for (const char* wrong : {"a", "a.txt", "a.png/", ".png"}) QVERIFY_EXCEPTION_THROWN(figureFormat(wrong), Error);
    const auto s = test::snapshot();
    QTemporaryDir folder;
    const std::filesystem::path base = folder.path().toStdString();
    for (const char* name : {"h.png", "h.svg", "h.pdf", "h.csv"}) {
        exportFigure(FigureKind::heatmap, *s, base / name, {});
        QVERIFY(std::filesystem::file_size(base / name) > 200);
    }
    QVERIFY_EXCEPTION_THROWN(exportFigure(FigureKind::heatmap, *s, base / "none" / "h.png", {}), Error);
    QVERIFY_EXCEPTION_THROWN(exportFigure(FigureKind::heatmap, *s, base / "h.txt", {}), Error);
}

QTEST_MAIN(ExportTest)
#include "export_test.moc"
