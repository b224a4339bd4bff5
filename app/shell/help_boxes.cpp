#include "app/shell/help_boxes.h"

#include "app/shell/style.h"
#include "app/shell/window_actions.h"

#include <QDialog>
#include <QDialogButtonBox>
#include <QGridLayout>
#include <QLabel>
#include <QMessageBox>

#include <vector>

namespace moe::app {

namespace {

constexpr double narrow = 150;  // design pixels for what a key of two meanings does

QString keyOf(const QAction* action) {
    return action->shortcut().toString(QKeySequence::NativeText);
}

QLabel* plain(const QString& text, const char* role, QWidget* parent) {
    auto* label = new QLabel(text, parent);
    label->setTextFormat(Qt::PlainText);
    setRole(label, role);
    return label;
}

/// Rows of a key and what it does: one meaning, or one in each of several columns.
QGridLayout* keyTable(const QStringList& heads, const std::vector<QStringList>& rows, QWidget* box) {
    auto* grid = new QGridLayout;
    grid->setHorizontalSpacing(16);
    grid->setVerticalSpacing(6);
    const bool several = heads.size() > 1;
    for (int i = 0; i < int(heads.size()); ++i)
        grid->addWidget(plain(heads[i], "heading", box), 0, several ? i + 1 : 0, 1, several ? 1 : 2);
    int row = 1;
    for (const QStringList& keys : rows) {
        grid->addWidget(plain(keys[0], "chip", box), row, 0, Qt::AlignLeft | Qt::AlignTop);
        for (int i = 1; i < int(keys.size()); ++i) {
            auto* what = plain(keys[i], "label", box);
            what->setWordWrap(several);
            if (several) what->setMinimumWidth(int(narrow));
            if (several) what->setContentsMargins(0, 4, 0, 0);  // on a line with the key, which stands in a chip
            grid->addWidget(what, row, i, several ? Qt::AlignTop : Qt::AlignVCenter);
        }
        ++row;
    }
    grid->setRowStretch(row, 1);
    grid->setColumnStretch(several ? int(heads.size()) + 1 : 2, 1);
    return grid;
}

}  // namespace

void showKeys(const WindowActions& actions, QWidget* parent) {
    auto* box = new QDialog(parent);
    box->setObjectName(QStringLiteral("keys"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(QDialog::tr("Keys"));

    // Each key once: what has another meaning while stepping stands in a table of its own.
    std::vector<QStringList> window;
    for (const QAction* a : actions.withKeys())
        if (keyOf(a) != keyOf(actions.replay)) window.push_back({keyOf(a), a->whatsThis()});
    const std::vector<QStringList> both = {
        {keyOf(actions.replay), actions.play->whatsThis(), actions.replay->whatsThis()},
        {QDialog::tr("Up, Down"), QDialog::tr("Another word of the phrase"),
         QDialog::tr("Another example of the batch")},
        {QDialog::tr("Home, End"), QDialog::tr("First word, whole phrase"), QDialog::tr("First, last operation")},
        {QDialog::tr("Esc"), QDialog::tr("To the picture, then all experts"), QDialog::tr("Back to the run")}};
    const std::vector<QStringList> picture = {
        {QDialog::tr("Page Up, Page Down"), QDialog::tr("A screenful of words on")},
        {QDialog::tr("1 to 9"), QDialog::tr("One expert")},
        {QDialog::tr("Tab"), QDialog::tr("To the next picture or field")}};

    auto* columns = new QHBoxLayout;
    columns->setSpacing(32);
    const auto middle = window.begin() + std::ptrdiff_t((window.size() + 1) / 2);
    columns->addLayout(keyTable({QDialog::tr("In the window")}, {window.begin(), middle}, box));
    columns->addLayout(keyTable({QStringLiteral(" ")}, {middle, window.end()}, box));
    auto* third = new QVBoxLayout;
    third->setSpacing(16);
    third->addLayout(keyTable({QDialog::tr("In the run"), QDialog::tr("While stepping")}, both, box));
    third->addLayout(keyTable({QDialog::tr("In the picture")}, picture, box));
    third->addStretch();
    columns->addLayout(third);

    auto* hint =
        plain(QDialog::tr("In a text field these are ordinary keys; Esc goes back to the picture."), "caption", box);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, box);
    QObject::connect(buttons, &QDialogButtonBox::rejected, box, &QDialog::reject);
    auto* rows = new QVBoxLayout(box);
    rows->setContentsMargins(24, 20, 24, 16);
    rows->setSpacing(16);
    rows->addLayout(columns);
    rows->addWidget(hint);
    rows->addWidget(buttons);
    scaleLayouts(box, scaleFor(parent->window()->size()));
    box->open();
}

void showAbout(const QString& device, QWidget* parent) {
    auto* box = new QMessageBox(parent);
    box->setObjectName(QStringLiteral("about"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(QMessageBox::tr("About MoE Lab"));
    box->setTextFormat(Qt::PlainText);
    box->setText(
        QMessageBox::tr(
            "MoE Lab %1\n\nA laboratory in which a class watches a mixture of experts learn.\n\nComputes on %2.\n"
            "Qt %3 with Qt Charts.\n\nThe program is free software: GPL-3.0-or-later; its engine by itself: MIT; "
            "lesson texts: CC BY-SA 4.0.")
            .arg(QStringLiteral(MOELAB_VERSION), device, QString::fromLatin1(qVersion())));
    box->open();
}

}  // namespace moe::app
