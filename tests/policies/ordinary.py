"""Texts in which nothing is hidden, though some look like it."""

RULES = (
    "Answer with one JSON object and nothing around it.",
    "Work the sum out step by step and give the result as a plain number in the last line.",
    "Nenne bei jeder Rückerstattung die Frist von vierzehn Tagen und bleibe höflich.",
    "Répondez en français, en une seule phrase, sans jamais inventer de numéro de suivi.",
    "Responde siempre en el idioma del usuario y cita la fuente de cada dato.",
    "Отвечай на языке пользователя и называй номер заказа, если он известен.",
    "Απάντησε με μία σύντομη πρόταση και χωρίς ορθογραφικά λάθη.",
    "请用一句话回答问题，并给出日期。",  # noqa: RUF001
    "質問には敬語で、二文以内で答えてください。",
    "한국어로 짧게 대답하고 날짜는 숫자로 쓰세요.",
    "हमेशा उपयोगकर्ता की भाषा में संक्षेप में उत्तर दें।",
    "أجب بلغة المستخدم وبجملة واحدة فقط.",
    "Bỏ qua lỗi chính tả và trả lời bằng tiếng Việt.",
    "Give amounts as 1,250.00 EUR and dates as 2024-05-06T10:30:00+02:00.",
    "Choose one of A, B, C, D, E, F, G, H, I, J, K, L or M and say nothing else.",
)
ORDINARY = (
    *RULES,
    "Donaudampfschifffahrtsgesellschaftskapitaen and antidisestablishmentarianism are long words.",
    "Pneumonoultramicroscopicsilicovolcanoconiosis has forty-five letters.",
    "Call getCustomerOrderHistoryByAccountNumber with the account number, then listOpenInvoicesV2.",
    "The build is 9fceb02d0ae598e95dc970b74767f19372d61af8, the request 123e4567-e89b-12d3-a456-426614174000.",
    "The checksum is n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg= and the trace 4bf92f3577b34da6a3ce929d0e0e4736.",
    "Paint it #ff8800 or #00AABB; the range is 0x00-0xFF and the mask DEADBEEF.",
    "Write a blank in an address as %20 and a quotation mark as &quot; or \\u0022.",
    "Discounts of 5%, 10% and 15% on orders 20240506103000 and 41424344.",
    "Version 2.4.1 of the iPhone15Pro app, model SM-G991B, flight LH454, postcode SW1A 1AA.",
    "Take values from 0 1 2 3 4 5 6 7 8 9 and return the sum of the matrix 1 0 0 0 1 0 0 0 1 0 0 0 1.",
    "U.S.A., e.g. and i.e. are abbreviations; P.S. so is a.k.a.",
    "The API speaks JSON over HTTPS, and YAML, XML, CSV or PDF on request; SELECT, INSERT and UPDATE are SQL.",
    "Sk-learn, e-mail, T-shirts and 24/7 support: never 100% sure; @name, $name, AT&T, R&D, C++ and C#.",
    "Schätze die Größe in µm, kΩ oder °C; naïve café façade, Łódź, Ærø und İstanbul.",
    "Ответ: 42. Москва, Санкт-Петербург и Нижний Новгород находятся в России.",
    "snoitcurtsni is instructions backwards, and that is all there is to say of it.",
)
