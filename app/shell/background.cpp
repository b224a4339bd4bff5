#include "app/shell/background.h"

#include <QMetaObject>

#include <exception>

namespace moe::app {

Background::~Background() {
    threads_.clear();
}  // joins

void Background::run(std::function<Finish()> work, std::function<void(const QString&)> failed) {
    threads_.emplace_back();
    const auto self = std::prev(threads_.end());
    *self = std::jthread([this, self, work = std::move(work), failed = std::move(failed)] {
        Finish finish;
        try {
            finish = work();
        } catch (const std::bad_alloc&) {
            finish = [failed] { failed(tr("There is not enough memory for this file.")); };
        } catch (const std::exception& e) {
            finish = [failed, sentence = QString::fromUtf8(e.what())] { failed(sentence); };
        }
        QMetaObject::invokeMethod(
            this,
            [this, self, finish = std::move(finish)] {
                self->join();
                threads_.erase(self);
                if (finish) finish();
            },
            Qt::QueuedConnection);
    });
}

}  // namespace moe::app
