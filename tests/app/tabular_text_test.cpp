// Texts that are remembered look as those that are set anew: the same widths, the same ink in the same place.
#include "app/models/tabular_text.h"
#include "app/models/theme.h"

#include <QImage>
#include <QtTest>

#include <thread>

using namespace moe::app;

class TabularTextTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void rememberedTextsLookTheSame_data();
    void rememberedTextsLookTheSame();
    void digitsStandInCellsOfOneWidth();
};

namespace {

const Theme& light() {
    static const Theme theme = Theme::light();
    return theme;
}

QImage drawn(const QString& text, const QFont& font, Qt::Alignment alignment, double ratio, QPointF at) {
    QImage image(QSize(360, 60) * ratio, QImage::Format_RGB32);
    image.setDevicePixelRatio(ratio);
    image.fill(Qt::white);
    QPainter painter(&image);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.translate(at);
    painter.setFont(font);
    painter.setPen(Qt::black);
    drawTabular(painter, QRectF(10, 10, 320, 30), alignment, text);
    return image;
}

/// How much ink there is, and its centre of gravity in pixels.
struct Ink {
    double amount = 0, x = 0, y = 0;

    explicit Ink(const QImage& image) {
        for (int row = 0; row < image.height(); ++row)
            for (int column = 0; column < image.width(); ++column) {
                const double ink = 255 - qGray(image.pixel(column, row));
                amount += ink, x += ink * column, y += ink * row;
            }
        if (amount > 0) x /= amount, y /= amount;
    }
};

}  // namespace

void TabularTextTest::rememberedTextsLookTheSame_data() {
    QTest::addColumn<QString>("text");
    for (const char* text : {"", "0", "17", ".250", "step 1,234 of 20,000", "−1.7e−05", "AVAToWa fi", "38 %", "Σ ŷ",
                             "漢字 12", "مرحبا 3", "שלום 4 abc", "e\u0301a\u0308 5", "👩‍🔬 9"})
        QTest::newRow(text) << QString::fromUtf8(text);
}

void TabularTextTest::rememberedTextsLookTheSame() {
    QFETCH(QString, text);
    for (const double pixels : {9.5, 12.0, 16.0})
        for (const int weight : {int(QFont::Normal), int(QFont::DemiBold)})
            for (const double ratio : {1.0, 2.0})
                for (const Qt::Alignment alignment : {Qt::AlignLeft | Qt::AlignTop, Qt::AlignRight | Qt::AlignVCenter,
                                                      Qt::AlignHCenter | Qt::AlignBottom})
                    for (const QPointF at : {QPointF(0, 0), QPointF(3.3, 0.7)}) {
                        const QFont font = light().font(pixels, weight);
                        QImage anew;
                        // Another thread remembers nothing.
                        std::thread([&] { anew = drawn(text, font, alignment, ratio, at); }).join();
                        for (int again = 0; again < 2; ++again) {
                            const Ink ink(drawn(text, font, alignment, ratio, at)), expected(anew);
                            // Glyphs stand on quarters of pixels; to which one a place is rounded may differ.
                            QVERIFY2(std::abs(ink.x - expected.x) <= 0.3, qPrintable(QString::number(ink.x - expected.x)));
                            QVERIFY2(std::abs(ink.y - expected.y) <= 0.3, qPrintable(QString::number(ink.y - expected.y)));
                            QVERIFY2(std::abs(ink.amount - expected.amount) <= 0.02 * expected.amount,
                                     qPrintable(text));
                        }
                        QCOMPARE(tabularWidth(font, text), tabularWidth(QFontMetricsF(font), text));
                    }
}

void TabularTextTest::digitsStandInCellsOfOneWidth() {
    const QFont font = light().font(12);
    for (int digit = 0; digit <= 9; ++digit)
        QCOMPARE(tabularWidth(font, QString::number(digit) + u'.'), tabularWidth(font, QStringLiteral("0.")));
    QCOMPARE(tabularWidth(font, QStringLiteral("1171")), 4 * tabularWidth(font, QStringLiteral("0")));
}

QTEST_MAIN(TabularTextTest)
#include "tabular_text_test.moc"
