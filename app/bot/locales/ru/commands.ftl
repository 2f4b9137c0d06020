# Меню команд (app/bot/users/commands.py).

command-start = Поздороваться
command-help = Как это работает
command-imagine = Нарисовать по описанию
command-edit = Изменить картинку
command-merge = Собрать одну картинку из нескольких
command-retouch = Отретушировать портрет
command-upscale = Сделать картинку больше и чётче
command-batch = Нарисовать целый список
command-history = Мои последние картинки
command-status = Мои запросы в работе
command-cancel = Выйти или отменить запрос
command-settings = Язык, размер, число картинок

command-stats = Как идут дела
command-vip = Обслуживать без очереди
command-ban = Закрыть доступ
command-unban = Вернуть доступ
command-broadcast = Написать всем
