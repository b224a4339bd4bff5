#pragma once
#include <QString>

namespace moe::app {

/// Lesson text to the HTML of QTextDocument: paragraphs, "- " lists, **strong**, *emphasis*, `code` and
/// ![name](picture.png). Everything else, tags and addresses above all, comes out as the plain text that it is. Pure.
QString markdownToHtml(const QString& markdown);

/// A picture that a lesson may show: a bare PNG or JPEG name in its own folder.
bool isLessonPicture(const QString& name);

}  // namespace moe::app
