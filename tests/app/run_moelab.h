#pragma once
// Runs the program as a person in a shell does.
#include <QByteArray>
#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QStringList>
#include <QTest>

struct Ran {
    int code = -1;
    QByteArray out, err;
    qint64 milliseconds = 0;

    QJsonObject json() const { return QJsonDocument::fromJson(out).object(); }
    /// What went wrong, without notes before it.
    QByteArray lastLine() const { return err.trimmed().split('\n').last(); }
};

inline QProcessEnvironment withoutDisplay() {
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"})
        environment.remove(QString::fromLatin1(name));
    return environment;
}

/// Waits for the program; one that hangs is ended, and its code is -1.
inline Ran finished(QProcess& process, int seconds = 120) {
    QElapsedTimer clock;
    clock.start();
    Ran ran;
    if (process.waitForFinished(seconds * 1000) && process.exitStatus() == QProcess::NormalExit)
        ran.code = process.exitCode();
    else
        process.kill(), process.waitForFinished(1000);
    ran.milliseconds = clock.elapsed();
    ran.out = process.readAllStandardOutput();
    ran.err = process.readAllStandardError();
    return ran;
}

inline Ran moelab(const QStringList& arguments, int seconds = 120) {
    QProcess process;
    process.setProcessEnvironment(withoutDisplay());
    process.start(QStringLiteral(MOELAB_BINARY), arguments);
    return finished(process, seconds);
}

/// A line of bash, for what QProcess cannot give (bytes that are no UTF-8, pipes); $MOELAB is the program.
inline Ran shell(const QByteArray& line, int seconds = 120) {
    QProcess process;
    QProcessEnvironment environment = withoutDisplay();
    environment.insert(QStringLiteral("MOELAB"), QStringLiteral(MOELAB_BINARY));
    process.setProcessEnvironment(environment);
    process.start(QStringLiteral("bash"), {QStringLiteral("-c"), QString::fromLatin1(line)});
    return finished(process, seconds);
}

inline QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

inline void put(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    QVERIFY2(file.open(QIODevice::WriteOnly), qPrintable(path));
    QCOMPARE(file.write(bytes), qint64(bytes.size()));
}

inline const QByteArray four_lines =
    "hello world how are you\nhow are you doing today\nhello world again\nfine thank you\n";

/// One sentence from the program, with this exit code, and nothing on standard output.
#define REFUSED(ran, expected_code, part)                                                                         \
    do {                                                                                                          \
        const Ran refused = (ran);                                                                                \
        QVERIFY2(refused.code == (expected_code),                                                                 \
                 qPrintable(QString::fromUtf8("exit " + QByteArray::number(refused.code) + ": " + refused.err))); \
        QVERIFY2(refused.out.isEmpty(), refused.out.constData());                                                 \
        const QByteArray sentence = (expected_code) == 2 ? refused.err.split('\n').first() : refused.lastLine();  \
        QVERIFY2(sentence.startsWith("moelab: ") && sentence.endsWith('.'), refused.err.constData());             \
        QVERIFY2(sentence.contains(part), refused.err.constData());                                               \
        QVERIFY2((expected_code) != 2 || refused.err.count('\n') <= 3, refused.err.constData());                  \
    } while (false)
