# Что приходит с результатами: кнопки, /history, итог серии.

result-here = Готово

result-again = 🔄 Ещё раз
result-variation = 🎲 Вариант
result-upscale = 🔍 Увеличить
result-edit = ✏️ Изменить
result-retouch = ✨ Ретушь
result-file = 📄 Файл

result-new = 🆕 Новая
result-known = Те же слова — та же картинка
result-files = 📄 Файлы

album-pick = С какой продолжим?
album-pick-known = Те же слова — те же картинки. С какой продолжим?
album-all = Все
album-picked = · { $what } ·

result-stale = Эта кнопка своё отслужила. Ваши последние картинки — в /history.
result-file-gone = В полном качестве этой картинки у меня больше нет. Простите!
result-file-too-large = В полном качестве эта картинка слишком велика для Telegram. Простите!

history-empty = Здесь пока пусто. Напишите, что нарисовать!
history-newer = ◀ Новее
history-older = Раньше ▶
history-caption = { $position } из { $total }
history-caption-prompt = { $position } из { $total } · { $prompt }

batch-failed = { $prompt }
    { $why }
batch-summary = Это была вся серия.
batch-summary-done = ✅ { $count ->
        [one] готова { $count } картинка
        [few] готовы { $count } картинки
       *[other] готово { $count } картинок
    }
batch-summary-failed = ❌ { $count ->
        [one] не получилась { $count }
       *[other] не получилось { $count }
    }
batch-summary-cancelled = ✖ { $count ->
        [one] отменена { $count }
       *[other] отменено { $count }
    }
