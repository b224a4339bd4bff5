#include "app/shell/help_boxes.h"

#include "app/shell/style.h"
#include "app/shell/window_actions.h"

#include <QDialog>
#include <QDialogButtonBox>
#include <QGridLayout>
#include <QLabel>
#include <QMessageBox>

#include <utility>
#include <vector>

namespace moe::app {

void showKeys(const WindowActions& actions, QWidget* parent) {
    auto* box = new QDialog(parent);
    box->setObjectName(QStringLiteral("keys"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(QDialog::tr("Keys"));

    std::vector<std::pair<QString, QString>> window, picture, stepping;
    for (const QAction* a : actions.withKeys())
        if (a != actions.replay)
            window.emplace_back(a->shortcut().toString(QKeySequence::NativeText), a->text().remove(u'…'));
    window.emplace_back(QDialog::tr("F10"), QDialog::tr("Menu"));
    picture = {{QDialog::tr("Up, Down"), QDialog::tr("Another word of the phrase")},
               {QDialog::tr("Page Up, Page Down"), QDialog::tr("A screenful of words on")},
               {QDialog::tr("Home, End"), QDialog::tr("First word, whole phrase")},
               {QDialog::tr("1 to 9"), QDialog::tr("One expert")},
               {QDialog::tr("Tab"), QDialog::tr("To the next picture or field")},
               {QDialog::tr("Esc"), QDialog::tr("Back to the picture, then all experts")}};
    stepping = {{QDialog::tr("Space"), QDialog::tr("The operation once more")},
                {QDialog::tr("Up, Down"), QDialog::tr("Another example of the batch")},
                {QDialog::tr("Home, End"), QDialog::tr("First, last operation")},
                {QDialog::tr("Esc"), QDialog::tr("Back to the run")}};

    auto* columns = new QHBoxLayout;
    columns->setSpacing(32);
    const auto list = [&](QBoxLayout* into, const QString& heading,
                          const std::vector<std::pair<QString, QString>>& keys) {
        auto* grid = new QGridLayout;
        grid->setHorizontalSpacing(16);
        grid->setVerticalSpacing(6);
        auto* head = new QLabel(heading, box);
        setRole(head, "heading");
        grid->addWidget(head, 0, 0, 1, 2);
        int row = 1;
        for (const auto& [key, what] : keys) {
            auto* cap = new QLabel(key, box);
            setRole(cap, "chip");
            grid->addWidget(cap, row, 0, Qt::AlignLeft);
            grid->addWidget(new QLabel(what, box), row++, 1);
        }
        grid->setRowStretch(row, 1);
        into->addLayout(grid);
    };
    const std::size_t half = (window.size() + 1) / 2;
    const auto middle = window.begin() + std::ptrdiff_t(half);
    list(columns, QDialog::tr("In the window"), {window.begin(), middle});
    list(columns, QStringLiteral(" "), {middle, window.end()});
    auto* third = new QVBoxLayout;
    third->setSpacing(16);
    columns->addLayout(third);
    list(third, QDialog::tr("In the picture"), picture);
    list(third, QDialog::tr("While stepping"), stepping);
    third->addStretch();

    auto* hint = new QLabel(QDialog::tr("In a text field these are ordinary keys; Esc goes back to the picture."), box);
    setRole(hint, "caption");
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, box);
    QObject::connect(buttons, &QDialogButtonBox::rejected, box, &QDialog::reject);
    auto* rows = new QVBoxLayout(box);
    rows->setContentsMargins(24, 20, 24, 16);
    rows->setSpacing(16);
    rows->addLayout(columns);
    rows->addWidget(hint);
    rows->addWidget(buttons);
    box->open();
}

void showAbout(const QString& device, QWidget* parent) {
    auto* box = new QMessageBox(parent);
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
