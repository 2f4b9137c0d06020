# Где сейчас запрос, /status и /cancel.

status-taken = Принято! { $status }
status-queued = Номер { $place } в очереди.
status-queued-eta = Номер { $place } в очереди, осталось около { $left }.
status-next = Вот-вот начну.
status-paused-account = Рисование пока приостановлено. Ваше место сохраняется: продолжу сам, как только оно возобновится.
status-paused-provider-down = Сервис рисования сейчас не отвечает. Ваше место сохраняется: продолжу сам, как только он ответит.
status-drawing = Рисую…
status-drawing-since = Рисую… { $elapsed }
status-drawing-usual = Рисую, обычно около { $usual }
status-drawing-of = Рисую… { $elapsed } из примерно { $usual }
status-drawing-long = Дольше обычного, но работа идёт
status-seconds = { $seconds } с
status-minutes = { $minutes } мин

status-none = Для вас сейчас ничего не рисуется и не ждёт очереди. Напишите, что нарисовать!
status-list = Ваши запросы:
status-line = { $number }. { $what }
    { $status }
status-what = { $operation }: { $prompt }
status-more = … и ещё { $count }.

cancel-button = Отменить
cancel-number = ✖ { $number }
cancel-all = Отменить всё
cancel-left = Хорошо, забыли об этом.
cancel-offer = Что отменить?
cancel-nothing = Отменять нечего.
cancel-done = Отменено.
cancel-all-done = { $count ->
        [one] Отменён { $count } запрос.
        [few] Отменены { $count } запроса.
       *[other] Отменено { $count } запросов.
    }
cancel-too-late = Поздно: этот запрос уже завершён.

operation-create = Картинка
operation-edit = Правка
operation-merge = Объединение
operation-retouch = Ретушь
operation-upscale = Увеличение
