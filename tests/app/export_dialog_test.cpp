#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/shell/export_dialog.h"
#include "app/shell/background.h"
#include "app/shell/figure_sources.h"
#include "app/shell/style.h"
#include "app/views/chart_measure.h"
#include "tests/app/snapshots.h"

#include <QClipboard>
#include <QComboBox>
#include <QLabel>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTemporaryDir>
#include <QtTest>

using namespace moe;
using namespace moe::app;

class ExportDialogTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void showsEveryFigure();
    void savesWhatTheEndingSays();
    void failuresAreSaidInTheDialog();
    void copies();
    void untrainedRunsSaySo();
    void viewsAsTheyStand();
    void nothingIsCut();

private:
    static std::vector<FigureSource> sources() {
        std::vector<FigureSource> all;
        for (const FigureKind kind : figureKinds()) all.emplace_back(kind);
        return all;
    }
    static FigureOptions options() {
        FigureOptions options;
        options.corpusName = "four lines";
        options.stage = [](const Snapshot& s, const Theme& theme) { return stagePicture(s, theme, {}); };
        return options;
    }
    std::unique_ptr<ExportDialog> make(const test::Shape& shape = {}) {
        auto dialog = std::make_unique<ExportDialog>(sources(), test::snapshot(shape), options(), Theme::light(),
                                                     background_, nullptr);
        dialog->show();
        return dialog;
    }

    Background background_;
};

void ExportDialogTest::showsEveryFigure() {
    const auto dialog = make();
    const auto picture = [&] {
        for (const QLabel* label : dialog->findChildren<QLabel*>())
            if (!label->pixmap().isNull()) return label->pixmap().toImage();
        return QImage();
    };
    QImage last;
    for (const FigureKind kind : figureKinds()) {
        dialog->choose(FigureSource(kind).id, FigureFormat::svg, 1);
        const QImage image = picture();
        QVERIFY(!image.isNull() && image != last);
        last = image;
    }
    dialog->choose("heatmap", FigureFormat::csv, 1);
    QVERIFY(dialog->findChild<QPlainTextEdit*>()->toPlainText().contains("expert,hello,world,how,are"));
    QVERIFY(dialog->findChild<QPlainTextEdit*>()->isVisible());
}

void ExportDialogTest::savesWhatTheEndingSays() {
    QTemporaryDir folder;
    const std::filesystem::path base = folder.path().toStdString();
    const auto dialog = make();
    dialog->choose("load", FigureFormat::png, 4);
    QSignalSpy saved(dialog.get(), &ExportDialog::saved);
    for (const char* name : {"load.png", "load.svg", "load.pdf", "load.csv"}) {
        dialog->saveTo(base / name);
        QVERIFY(saved.wait(5000));
        QVERIFY(std::filesystem::file_size(base / name) > 500);
        QCOMPARE(dialog->message(), QString("Saved %1.").arg(name));
    }
    QCOMPARE(QImage(folder.filePath("load.png")).size(),
             figureSize(FigureKind::load, *test::snapshot(), options()) * 4);
}

void ExportDialogTest::failuresAreSaidInTheDialog() {
    const auto dialog = make();
    QSignalSpy refused(dialog.get(), &ExportDialog::refused);
    dialog->saveTo("/nowhere/at/all/load.png");
    QVERIFY(refused.wait(5000));
    QVERIFY(dialog->message().contains("load.png") || dialog->message().contains("/nowhere"));
    dialog->saveTo("load.doc");
    QVERIFY(refused.wait(5000));
    QVERIFY(dialog->message().contains(".png, .svg, .pdf or .csv"));
}

void ExportDialogTest::copies() {
    const auto dialog = make();
    dialog->choose("heatmap", FigureFormat::png, 2);
    dialog->copy();
    QTRY_COMPARE(dialog->message(), QString("Copied."));
    QVERIFY(QApplication::clipboard()->mimeData()->hasImage());
    dialog->choose("heatmap", FigureFormat::csv, 2);
    QCOMPARE(dialog->message(), QString());
    dialog->copy();
    QTRY_COMPARE(dialog->message(), QString("Copied."));
    QVERIFY(QApplication::clipboard()->text().startsWith("# MoE Lab"));
}

void ExportDialogTest::untrainedRunsSaySo() {
    test::Shape shape;
    shape.epochs = 0;
    const auto dialog = make(shape);
    dialog->choose("loss", FigureFormat::png, 1);
    bool said = false;
    for (const QLabel* label : dialog->findChildren<QLabel*>())
        said = said || (label->isVisible() && label->text().contains("train at least one batch"));
    QVERIFY(said);
    for (const QPushButton* button : dialog->findChildren<QPushButton*>())
        if (button->text() == "Save…" || button->text() == "Copy") QVERIFY(!button->isEnabled());
}

void ExportDialogTest::viewsAsTheyStand() {
    SessionController session;
    const auto s = test::snapshot();
    for (const ViewInfo& info : views()) {
        if (QByteArray(info.id) != "loss" && QByteArray(info.id) != "heatmap") continue;
        const std::unique_ptr<View> view(info.create(session, nullptr));
        view->resize(420, 240);
        static_cast<MeasureView*>(view.get())->display(s);
        view->show();
        QTest::qWait(50);
        const FigureSource source = viewSource(info.id, *view);
        FigureOptions chosen = options();
        chosen.format = FigureFormat::svg;
        const QByteArray svg = renderFigure(source, *s, chosen);
        QVERIFY(svg.contains("<text") && svg.contains("learning rate 0.001") && !svg.contains("<image"));
        chosen.format = FigureFormat::pdf;
        QVERIFY(renderFigure(source, *s, chosen).startsWith("%PDF-"));
        chosen.format = FigureFormat::png;
        const QImage image = QImage::fromData(renderFigure(source, *s, chosen), "PNG");
        QCOMPARE(image.size(), figureSize(source, *s, chosen));
        QVERIFY(image.width() >= 420 && image.height() >= 240);
        if (const QByteArray folder = qgetenv("MOELAB_PICTURES"); !folder.isEmpty())
            image.save(QString::fromLocal8Bit(folder) + "/view-" + info.id + ".png");
        chosen.format = FigureFormat::csv;
        QVERIFY(renderFigure(source, *s, chosen).contains("# step: 174\n"));
    }
}

void ExportDialogTest::nothingIsCut() {
    for (const Theme& theme : {Theme::light(), Theme::darkTheme()}) {
        qApp->setStyleSheet(themeSheet(theme));
        qApp->setPalette(themePalette(theme));
        ExportDialog dialog(sources(), test::snapshot(), options(), theme, background_, nullptr);
        dialog.show();
        QTest::qWait(50);
        for (const QPushButton* button : dialog.findChildren<QPushButton*>())
            QVERIFY2(!button->isVisible() || button->width() >= button->minimumSizeHint().width(),
                     qPrintable(button->text()));
        QVERIFY(dialog.width() <= 1280 && dialog.height() <= 720);
        if (const QByteArray folder = qgetenv("MOELAB_PICTURES"); !folder.isEmpty()) {
            dialog.grab().save(QString::fromLocal8Bit(folder) +
                               (theme.dark ? "/export-dark.png" : "/export-light.png"));
            dialog.choose("load", FigureFormat::csv, 1);
            dialog.grab().save(QString::fromLocal8Bit(folder) +
                               (theme.dark ? "/export2-dark.png" : "/export2-light.png"));
        }
    }
    qApp->setStyleSheet({});
}

QTEST_MAIN(ExportDialogTest)
#include "export_dialog_test.moc"
