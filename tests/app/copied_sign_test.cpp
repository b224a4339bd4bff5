// That something was copied is said where it was asked for: seen, heard, and nothing moves.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/views/operation_view.h"
#include "tests/app/inspector_fixture.h"

#include <QAccessible>
#include <QClipboard>

using namespace moe;
using namespace moe::app;
using namespace moe::app::test;

namespace {

QStringList heard;

void listen(QAccessibleEvent* event) {
    if (event->type() != QAccessible::Alert && event->type() != QAccessible::NameChanged) return;
    if (const auto* widget = qobject_cast<QWidget*>(event->object())) heard << widget->accessibleName();
}

QList<QRect> places(const QWidget& panel) {
    QList<QRect> all;
    for (const QWidget* w : panel.findChildren<QWidget*>())
        if (!w->isWindow() && !w->inherits("moe::app::CopiedSign")) all << w->geometry();
    return all;
}

std::unique_ptr<OperationView> operationView(const Trace& trace) {
    auto view = std::make_unique<OperationView>(nullptr);
    view->setTheme(Theme::light());
    view->resize(624, 340);
    std::vector<QString> words{"(padding)"};
    for (std::size_t id = 1; id < trace.experiment.model.vocabulary; ++id)
        words.push_back(QString::fromStdString(corpus()->tokenizer().word(std::int32_t(id))));
    view->showOperation(std::make_shared<const Trace>(trace), 3, 0,
                        std::make_shared<const std::vector<QString>>(std::move(words)));
    view->show();
    return view;
}

}  // namespace

class CopiedSignTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        QAccessible::setActive(true);
        QAccessible::installUpdateHandler(listen);
    }
    void cleanupTestCase() { QAccessible::installUpdateHandler(nullptr); }

    void everyCopySaysSo() {
        Opened opened({"soft", 4, 4, 12});
        const Trace trace = opened.trace(12);
        const auto operation = operationView(trace);
        const auto inspector = inspectorView(opened, themed(false, 1), {304, 480});
        inspector->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*inspector));
        checkAll(*operation, {"Copy values", "Copy Keras line"});
        checkAll(*inspector, {"Copy numbers", "Copy table"});
        inspector->explain(3);
        QTRY_VERIFY(inspector->provenance()->number());
        checkAll(*inspector, {"Copy text", "Copy Keras"});
    }

    // By key too, and a sign goes with the button that it stands on.
    void signsGoWithTheirButtons() {
        Opened opened({"soft", 4, 4, 12});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        view->setFocus();
        QTest::keyClick(view.get(), Qt::Key_C, Qt::ControlModifier);
        QWidget* sign = signOf(*view);
        auto* button = view->findChild<QAbstractButton*>("inspector_copy_table");
        QVERIFY(sign && sign->isVisible());
        QCOMPARE(sign->pos(), button->pos());
        view->resize(420, 520);
        QCOMPARE(sign->pos(), button->pos());
        view->explain(3);
        QTRY_VERIFY(!signOf(*view) || !signOf(*view)->isVisible());
    }

private:
    static QWidget* signOf(const QWidget& panel) {
        for (QWidget* w : panel.findChildren<QWidget*>())
            if (w->inherits("moe::app::CopiedSign")) return w;
        return nullptr;
    }

    static void checkAll(QWidget& view, const QStringList& names) {
        for (const QString& name : names) {
            QAbstractButton* button = nullptr;
            for (QAbstractButton* b : view.findChildren<QAbstractButton*>())
                if (b->isVisible() && b->text() == name) button = b;
            QVERIFY2(button, qPrintable(name));
            QCoreApplication::processEvents();
            const QString called = button->accessibleName();
            const QList<QRect> before = places(view);
            heard.clear();
            QApplication::clipboard()->clear();
            QTest::mouseClick(button, Qt::LeftButton);
            QVERIFY(!QApplication::clipboard()->text().isEmpty());
            QWidget* sign = signOf(view);
            QVERIFY2(sign && sign->isVisible(), qPrintable(name));
            QVERIFY(sign->geometry().contains(button->geometry()));
            QCOMPARE(sign->accessibleName(), QString("Copied"));
            QCOMPARE(button->accessibleName(), QString("Copied"));
            // As an alert and as the button's name, where the platform has readers: "offscreen" has none.
            if (QAccessible::isActive()) QVERIFY2(heard.count("Copied") >= 2, qPrintable(heard.join(',')));
            QCoreApplication::processEvents();
            QCOMPARE(places(view), before);
            // Twice is said twice, by one sign.
            heard.clear();
            QTest::mouseClick(button, Qt::LeftButton);
            if (QAccessible::isActive()) QVERIFY(heard.contains("Copied"));
            int signs = 0;
            for (QWidget* w : view.findChildren<QWidget*>()) signs += w->inherits("moe::app::CopiedSign");
            QCOMPARE(signs, 1);
            QTRY_VERIFY(!signOf(view));
            QCOMPARE(button->accessibleName(), called);
            QCOMPARE(places(view), before);
        }
    }
};

QTEST_MAIN(CopiedSignTest)
#include "copied_sign_test.moc"
