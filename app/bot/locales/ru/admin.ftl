# Для тех, кто управляет ботом.

admin-stats =
    В очереди: { $high } вне очереди, { $normal } обычных, { $low } из списков
    В работе: { $running }, воркеров: { $workers }
    За { $minutes } мин: готово { $done }, { $rate } в минуту
    Ошибки: { $errors } (не удалось: { $reasons })
    Попаданий в кэш: { $hits }
    Потрачено сегодня: ${ $spend } из ${ $cap }
    Людей: { $people }, из них за сутки { $today }
admin-vip-usage =
    /vip <id> — обслуживать без очереди, /vip <id> off — больше не надо.

    Сейчас: { $ids }
admin-vip-on = { $id } теперь обслуживается без очереди.
admin-vip-off = { $id } теперь ждёт, как все.
admin-ban-usage =
    /ban <id> — закрыть доступ.

    Сейчас: { $ids }
admin-unban-usage =
    /unban <id> — вернуть доступ.

    Сейчас закрыт: { $ids }
admin-ban-admin = Это один из нас: сначала уберите его из списка админов.
admin-ban-on = Доступ для { $id } закрыт, его запросы в работе отменены.
admin-ban-off = Доступ для { $id } возвращён.

broadcast-usage = Напишите /broadcast и текст или ответьте командой /broadcast на любое сообщение, чтобы разослать его как есть, вместе с картинками.
broadcast-confirm = Разослать это? Получателей: { $count }.
broadcast-button-send = Разослать
broadcast-button-discard = Не надо
broadcast-button-stop = Остановить
broadcast-started = Рассылаю
broadcast-busy = Другая рассылка ещё идёт. Остановите её или дождитесь конца.
broadcast-stopping = Останавливаю
broadcast-discarded = Не разослано никому.
broadcast-stale = Эта кнопка устарела.
broadcast-progress = Рассылаю: получили { $sent } из { $total }, ушли { $gone }, не удалось { $failed }.
broadcast-stopped = Остановлено: получили { $sent } из { $total }, ушли { $gone }, не удалось { $failed }.
broadcast-done = Готово: получили { $sent } из { $total }, ушли { $gone }, не удалось { $failed }.

alert-spend-cap = Дневной предел расходов исчерпан: до полуночи по UTC ничего не рисуется, людям об этом говорится. Предел — spend_max_per_day.
alert-no-room = Новые запросы не принимаются, людей просят вернуться через несколько минут: места почти не осталось ({ $lack }). Принятое продолжается.
alert-records-lost = Redis вернулся с меньшими данными, чем были. Продолжаются запросы: { $kept }; потеряны: { $lost }, людям об этом сказано. Баны, VIP, история и расходы могли устареть: посмотрите журнал Redis и его диск.
alert-account-refused = fal.ai не принимает запросы; ответ: «{ $reason }». Все запросы сохранены, людям говорится, что рисование приостановлено. Каждые 15 с я пробую один и продолжу сам; проверьте баланс, ключ и состояние счёта.
alert-provider-down = fal.ai две минуты не отвечает как следует («{ $reason }»). Все запросы сохранены; каждые 15 с я пробую один и продолжу сам.
alert-resumed = Пауза окончена: запросы снова передаются fal.ai.
alert-update-aside = Одно из сообщений мне не далось, и я его отложил (сегодня могут быть и другие). Посмотреть: redis-cli XREVRANGE imagebot:inbox:aside + - COUNT 10
