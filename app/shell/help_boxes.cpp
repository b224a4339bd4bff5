#include "app/shell/help_boxes.h"

#include "app/shell/window_actions.h"

#include <QMessageBox>

namespace moe::app {

void showKeys(const WindowActions& actions, QWidget* parent) {
    auto* box = new QMessageBox(parent);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(QMessageBox::tr("Keys"));
    box->setTextFormat(Qt::PlainText);
    box->setText(actions.keyList() +
                 QMessageBox::tr("In a text field these are ordinary keys; Esc goes back to the picture."));
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
