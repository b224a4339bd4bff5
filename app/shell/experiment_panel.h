#pragma once
#include "app/models/experiment_draft.h"
#include "engine/session/snapshot.h"

#include <QWidget>

#include <memory>
#include <utility>
#include <vector>

class QAbstractButton;
class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;

namespace moe::app {

/// The present experiment in a few lines, and the way to change it.
class ExperimentPanel : public QWidget {
    Q_OBJECT

public:
    explicit ExperimentPanel(QWidget* parent);
    void showSnapshot(const Snapshot& snapshot);

Q_SIGNALS:
    void changeAsked();
    void ownTextAsked();

private:
    QLabel* value(int row) const { return rows_[std::size_t(row)]; }

    std::vector<QLabel*> rows_;
    QLabel* gate_ = nullptr;  // the name of its row
    QPushButton* change_;
};

/// Every setting of the experiment, checked by the engine as it is typed. Learning rate, batch, balance loss and epochs
/// apply at once; the others wait for "Start again".
class ExperimentEditor : public QWidget {
    Q_OBJECT

public:
    explicit ExperimentEditor(QWidget* parent);

    /// Starts from what runs now.
    void edit(const Experiment& running, std::shared_ptr<const Corpus> corpus);
    /// A live setting that was changed elsewhere (undo); fields that are being typed in stay.
    void follow(const Experiment& running);
    /// The engine's sentence when a start was refused after all.
    void refuse(const QString& sentence);
    QLineEdit* field(const char* key) const;
    const ExperimentDraft& draft() const { return draft_; }

Q_SIGNALS:
    void liveChanged(const char* key, const QString& before, const QString& after);
    void restartAsked(const Experiment& experiment);
    void closed();

protected:
    void keyPressEvent(QKeyEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Row {
        const ExperimentField* field;
        QLabel* name;
        QLineEdit* edit = nullptr;                            // whole, real
        QAbstractButton *first = nullptr, *second = nullptr;  // family: pooled, token; gate: soft, top-k
        QCheckBox* check = nullptr;                           // truth
        QComboBox* choice = nullptr;                          // activation
    };

    void take(Row& row, const QString& value);
    void commitLive(Row& row);
    void step(Row& row, int direction);
    void refresh();

    ExperimentDraft draft_;
    Experiment running_;
    std::vector<Row> rows_;
    std::vector<std::pair<const char*, QString>> refused_;  // key and the engine's sentence
    QLabel *problem_, *cost_, *again_;
    QPushButton *start_, *close_;
};

}  // namespace moe::app
