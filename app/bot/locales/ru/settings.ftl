# /settings.

settings-title =
    Ваши настройки. Нажмите на кнопку, чтобы изменить.

    Размер и число относятся к картинкам, которые я рисую по словам.
settings-today = Сегодня: { $used } из { $limit } картинок. Новый день через { $left }.
settings-language = { $option ->
        [en] English
        [ru] Русский
       *[auto] Язык из Telegram
    }
settings-size = { $option ->
        [square] Квадрат 1:1
        [portrait] Портрет 3:4
        [landscape] Пейзаж 4:3
        [tall] Высокая 9:16
        [wide] Широкая 16:9
       *[auto] Любой размер
    }
settings-pictures = { $option ->
        [1] 1 картинка
       *[other] { $option }
    }
settings-chosen = ✓ { $option }
settings-saved = Сохранено
settings-stale = Эта кнопка устарела. Отправьте /settings, и появятся новые.
