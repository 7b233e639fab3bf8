import HeroesDomain

/// What people of the demo are called, where they are and what they know.
enum DemoWords {
    static let firstNames = words(
        """
        Ada Grace Alan Linus Tim Margaret Barbara Donald Edsger Frances Radia Ken Dennis Brian Bjarne Guido Yukihiro Brendan
        Anders James Rasmus Larry John Leslie Niklaus Joan Karen Sophie Hedy Annie Maria José Juan Luis Carlos Ana Lucía Sofía
        Mateo Diego Valentina Camila Jorge Pedro Inês João Tiago Beatriz Rui Catarina Anna Lena Lukas Jonas Finn Mia Emma
        Hannah Jürgen Björn Søren Åse Ingrid Lars Freja Magnus Astrid Nils Sven Łukasz Agnieszka Zofia Piotr Wojciech
        Katarzyna Marek Jana Tomáš Petr Lucie Václav Zuzana Milan Ivana Luka Ana-Marija Nikola Jelena Dragan Olga Ivan
        Dmitri Natalia Sergei Юрий Анна Tatiana Oleksandr Iryna Taras Yulia Elif Mehmet Ayşe Emre Zeynep Can İbrahim Fatma
        Omar Layla Youssef Amina Hassan Fatima Karim Nour Tariq Salma Priya Arjun Ananya Rohan Kavya Vikram Deepa Sanjay Meera
        Ravi Aditi Kiran Wei Li Mei Jun Xin Yan Hao Ling Chen Ming Yuki Haruto Sakura Ren Aoi Kenji Naoko Takeshi Minjun Jiwoo
        Seoyeon Hyun Nguyễn Linh Minh Thảo Tuan Putri Budi Siti Chinwe Amara Kofi Ama Kwame Zuri Thabo Naledi Sipho Wanjiru
        Tunde Folake Moses Aisha Malik Jamal Keisha Tyrone Olivia Noah Liam Ava Ethan Isabella Mason Harper Logan Ella Jack
        Charlotte Oliver Amelia George Isla Harry Poppy Ewan Fiona Siobhan Niamh Ciarán Aoife Pádraig Chloé Élise Jules Hugo
        Margaux Théo Giulia Lorenzo Chiara Matteo Elena Davide Γιώργος Eleni Nikos Katerina Tom Clark Peyton Cam
        """)

    static let lastNames = words(
        """
        Lovelace Hopper Turing Torvalds Hamilton Liskov Knuth Dijkstra Allen Perlman Thompson Ritchie Kernighan Stroustrup
        Matsumoto Eich Hejlsberg Gosling Wall Lamport Wirth Clarke Jones Wilson Lamarr Easley García Martínez Rodríguez López
        González Hernández Pérez Sánchez Ramírez Flores Rivera Gómez Díaz Cruz Morales Ortiz Gutiérrez Chávez Silva Santos
        Oliveira Souza Pereira Costa Ferreira Almeida Carvalho Ribeiro Müller Schmidt Schneider Fischer Weber Meyer Wagner
        Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Groß Krüger Hansen Jensen
        Nielsen Pedersen Andersen Christensen Larsen Sørensen Johansson Andersson Karlsson Nilsson Eriksson Lindqvist Berg
        Dahl Lund Virtanen Korhonen Mäkinen Nieminen Kowalski Nowak Wiśniewski Wójcik Kamiński Lewandowski Zieliński Szymański
        Novák Svoboda Dvořák Černý Procházka Kučera Horváth Kovács Tóth Nagy Szabó Popescu Ionescu Dumitrescu Petrov Ivanova
        Dimitrov Jovanović Petrović Nikolić Horvat Kovačić Babić Ivanov Smirnova Kuznetsov Sokolova Popov Lebedeva Щербаков
        Shevchenko Kovalenko Bondarenko Tkachenko Yılmaz Kaya Demir Şahin Çelik Öztürk Aydın Papadopoulos Nikolaidis Georgiou
        Haddad Khalil Mansour Rahman Hussein Abdullah Hosseini Ahmadi Karimi Sharma Patel Singh Kumar Gupta Reddy Iyer Nair
        Mehta Joshi Rao Desai Chowdhury Banerjee Das Khan Ali Wang Zhang Liu Yang Huang Zhao Wu Zhou Xu Sun Zhu Gao Lin Guo Tanaka
        Suzuki Takahashi Watanabe Ito Yamamoto Nakamura Kobayashi Saito Kato Kim Lee Park Choi Jung Kang Cho Yoon Tran Pham Hoang
        Phan Vu Dang Bui Santoso Wijaya Okafor Adeyemi Balogun Eze Mensah Owusu Boateng Mwangi Otieno Kamau Ndlovu Dlamini Khumalo
        Moyo Diallo Traoré Smith Johnson Williams Brown Davis Miller Moore Taylor Anderson Thomas Jackson White Harris Martin
        Robinson Clark Lewis Walker Hall Young King Wright Scott Green Baker Adams Nelson Hill Campbell Mitchell Roberts Carter
        Phillips Evans Turner Parker Collins Edwards Stewart Morris Murphy Cook Rogers Morgan Cooper Bailey Kelly Howard Ward
        O'Brien O'Connor O'Neill Byrne Walsh Gallagher Doherty MacDonald Fraser Ross Graham Dubois Lefèvre Moreau Laurent Girard
        Rousseau Fournier Rossi Russo Ferrari Esposito Bianchi Romano Ricci Marino Brady Kent Newton Manning
        """)

    static let timezones = words(
        """
        America/Chicago America/New_York America/Los_Angeles America/Denver America/Toronto America/Sao_Paulo
        America/Mexico_City America/Bogota Europe/London Europe/Paris Europe/Berlin Europe/Madrid Europe/Warsaw Europe/Kyiv
        Europe/Istanbul Africa/Lagos Africa/Nairobi Africa/Johannesburg Africa/Cairo Asia/Kolkata Asia/Shanghai Asia/Tokyo
        Asia/Seoul Asia/Ho_Chi_Minh Asia/Jakarta Australia/Sydney Pacific/Auckland
        """)

    /// The frequent ones first.
    static let companies = lines(
        """
        Freelance
        Northwind Software
        Blue Harbor Labs
        Kestrel Systems
        Lighthouse Digital
        Papaya Payments
        Orbit Works
        Granite Cloud
        Meridian Health IT
        Sparrow & Sons
        Fjord Analytics
        Cobalt Robotics
        Juniper Street
        Amber Grid
        Quiet Ocean
        Tandem Mobility
        Red Kite Games
        Silverline Bank
        Nimbus Freight
        Maple & Pine
        Ostrich Media
        Pelican Post
        Zebra Crossing
        Tessellate
        Hazelnut Interactive
        Umbra Security
        Müller & Söhne
        Copper Kettle
        Saffron Travel
        Borealis Energy
        Dovetail Design
        Octave Audio
        Marzipan Studio
        Quartz & Quill
        Bramble Education
        Tidewater Insurance
        Lantern Maps
        Velvet Elevator
        Basilisk Compilers
        Ptarmigan Space
        """)

    private static func words(_ text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
}

/// What heroes of one discipline offer.
struct DemoOffers {
    let positions: [String]
    /// With a subject where there is `%`.
    let titles: [String]
    /// The frequent ones first.
    let subjects: [String]

    static let sentences = [
        "I can help you with % from the first sketch to production.",
        "Bring your questions about % and leave with a plan.",
        "We look at your code together and find out what is slow, fragile or hard to read.",
        "Years of % have taught me which shortcuts cost you later.",
        "I have led teams of three to thirty people and like to explain things.",
        "Let us review your design before you build it.",
        "Ask me about testing %, releases without fear, and what to measure.",
        "I help beginners to get started, and experts to get unstuck.",
        "Interviews, career and how to grow as an engineer are welcome topics too.",
        "My favourite problem is one that others have given up on.",
        "No slides, no jargon, a shared screen and your own project.",
        "From a monolith to services and, where it makes sense, back again.",
        "You get notes and links after each call.",
    ]

    static let shortBios = [
        "Engineer, mentor, parent of two.", "I fix things and explain how.",
        "Twenty releases a day keep the doctor away.",
        "Open source by night.", "Maker of small, fast things.", "Formerly of a start-up you have heard of.",
        "I like hard bugs and long walks.", "Teaching is how I learn.", "Boring technology, happy users.",
    ]

    static func of(_ discipline: Discipline) -> DemoOffers {
        switch discipline {
        case .frontEnd:
            DemoOffers(
                positions: ["Front End Engineer", "UI Engineer", "Web Developer", "Lead Front End Engineer"],
                titles: [
                    "Set up a % site", "Fast pages with %", "Debug your % app", "% from scratch", "Accessible %",
                    "Move to %",
                ],
                subjects: words(
                    """
                    React JavaScript TypeScript CSS Vue Angular Next.js Svelte Webpack Redux GraphQL Vite Tailwind Storybook Cypress
                    Playwright jQuery WebGL D3 Ember Remix Astro Solid Elm Lit WebAssembly ClojureScript ReScript
                    """))
        case .backEnd:
            DemoOffers(
                positions: [
                    "Backend Engineer", "Platform Engineer", "Site Reliability Engineer", "Software Architect",
                ],
                titles: [
                    "Set up a production level % API", "Scale your % service", "% in production", "% for teams",
                    "Migrate to %", "Debug % under load",
                ],
                subjects: words(
                    """
                    Django Python Node.js PostgreSQL Java Go Kubernetes Docker AWS Redis Spring Rails Kafka Terraform MySQL C# PHP
                    Laravel GraphQL MongoDB Rust Elasticsearch gRPC RabbitMQ Linux Scala Kotlin Elixir Swift C++ Cassandra Nginx
                    Clojure Erlang Haskell F# OCaml Zig Perl Smalltalk COBOL
                    """))
        case .iOS:
            DemoOffers(
                positions: ["iOS Engineer", "Mobile Developer", "Senior iOS Developer"],
                titles: ["Ship your % app", "% done right", "Learn %", "Your first % release", "Test % apps"],
                subjects: words(
                    """
                    Swift SwiftUI UIKit Xcode Combine Objective-C CoreData ARKit StoreKit CloudKit WidgetKit Metal CoreML Instruments
                    HealthKit watchOS tvOS visionOS
                    """))
        case .android:
            DemoOffers(
                positions: ["Android Engineer", "Mobile Developer", "Senior Android Developer"],
                titles: ["Ship your % app", "% done right", "Learn %", "Modern %", "Test % apps"],
                subjects: words(
                    """
                    Android Kotlin Compose Java Gradle Room Retrofit Coroutines Dagger Flutter Firebase Material RxJava NDK Espresso
                    Wear Xamarin
                    """))
        case .userExperience:
            DemoOffers(
                positions: ["UX Designer", "Product Designer", "UX Researcher", "Design Lead"],
                titles: [
                    "% for engineers", "A second look at your %", "Better %", "% that users love", "Start with %",
                ],
                subjects: words(
                    """
                    Figma usability prototypes accessibility onboarding wireframes research interviews typography forms navigation
                    personas dashboards colour icons motion copywriting localization kiosks
                    """))
        }
    }

    private static func words(_ text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
