// The yardstick of `bench calls`: creating a call request and showing one, as a Go service would do it that has no
// gateway before it. One process looks the token up in Redis, applies the same rules, writes the same row and the same
// event in one statement, and answers with the same JSON; each request is logged.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/gomodule/redigo/redis"
	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	staff    = 1
	email    = 2
	phone    = 4
	payment  = 8
	timeForm = "2006-01-02T15:04:05.000000Z"
)

type service struct {
	postgres *pgxpool.Pool
	redis    *redis.Pool
	secret   []byte
	// Every key of a token starts with it.
	prefix string
}

type caller struct {
	id    string
	flags int
}

type publicUser struct {
	ID           string  `json:"id"`
	FirstName    string  `json:"first_name"`
	LastName     string  `json:"last_name"`
	ProfileImage *string `json:"profile_image"`
	Timezone     string  `json:"timezone"`
	Created      string  `json:"created"`
}

type suggestion struct {
	User      publicUser `json:"user"`
	One       string     `json:"datetime_one"`
	Two       string     `json:"datetime_two"`
	Three     string     `json:"datetime_three"`
	Timestamp string     `json:"timestamp"`
}

type callRequest struct {
	ID              int64        `json:"id"`
	User            string       `json:"user"`
	Hero            int64        `json:"hero"`
	Message         string       `json:"message"`
	EstimatedLength int          `json:"estimated_length"`
	Status          string       `json:"status"`
	Reason          string       `json:"reason"`
	Times           []suggestion `json:"times"`
	AgreedTime      *string      `json:"agreed_time"`
	Created         string       `json:"created"`
	Updated         string       `json:"updated"`
}

type problem struct {
	Type   string              `json:"type"`
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Detail string              `json:"detail"`
	Code   string              `json:"code"`
	Errors map[string][]string `json:"errors,omitempty"`
}

func refuse(c *gin.Context, status int, code, detail string, errors map[string][]string) {
	c.Abort()
	c.Header("Content-Type", "application/problem+json")
	c.JSON(status, problem{"about:blank", http.StatusText(status), status, detail, code, errors})
}

// authenticate finds whose token a request carries: one GET in Redis.
func (s *service) authenticate(c *gin.Context) {
	token := strings.TrimPrefix(c.GetHeader("Authorization"), "Token ")
	if len(token) != 32 {
		refuse(c, 403, "not_authenticated", "Sign in first.", nil)
		return
	}
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(token))
	connection := s.redis.Get()
	record, err := redis.String(connection.Do("GET", s.prefix+hex.EncodeToString(mac.Sum(nil))))
	connection.Close()
	if err == redis.ErrNil {
		refuse(c, 403, "not_authenticated", "Sign in first.", nil)
		return
	}
	// 1 <version> <user> <flags> <token id> <expires>
	words := strings.Split(record, " ")
	if err != nil || len(words) != 6 {
		refuse(c, 503, "temporarily_unavailable", "Try again.", nil)
		return
	}
	flags, _ := strconv.Atoi(words[3])
	expires, _ := strconv.ParseInt(words[5], 10, 64)
	if expires <= time.Now().Unix() {
		refuse(c, 403, "not_authenticated", "Sign in first.", nil)
		return
	}
	c.Set("caller", caller{words[2], flags})
}

const findHero = `SELECT user_id::text, accepted, rate_in_cents FROM calls.heroes WHERE id = $1`

const insert = `
WITH created AS (
    INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents, created, updated)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
    RETURNING id, user_id, hero_id, hero_user_id, status, estimated_length
), published AS (
    INSERT INTO calls.outbox (type, subject, recipients, data, traceparent)
    SELECT 'call.requested', id::text, ARRAY[user_id, hero_user_id], json_build_object('id', id, 'user', user_id,
        'hero', hero_id, 'hero_user', hero_user_id, 'status', status, 'estimated_length', estimated_length)::jsonb, $8
    FROM created
)
SELECT id FROM created`

type asked struct {
	Hero   *int64  `json:"hero_id"`
	Text   *string `json:"message"`
	Length *int    `json:"estimated_length"`
}

func (s *service) create(c *gin.Context) {
	user := c.MustGet("caller").(caller)
	for _, need := range []struct {
		flag int
		code string
	}{{email, "email_unverified"}, {phone, "phone_unverified"}, {payment, "payment_unverified"}} {
		if user.flags&need.flag == 0 {
			refuse(c, 403, need.code, "Verify it first.", nil)
			return
		}
	}
	var asked asked
	if err := json.NewDecoder(c.Request.Body).Decode(&asked); err != nil {
		refuse(c, 400, "malformed", "The body must be one JSON object.", nil)
		return
	}
	faults := map[string][]string{}
	if asked.Text == nil {
		faults["message"] = append(faults["message"], "This is needed.")
	} else if length := utf8.RuneCountInString(*asked.Text); length < 1 || length > 500 {
		faults["message"] = append(faults["message"], "Must have 1 to 500 characters.")
	}
	if asked.Length == nil {
		faults["estimated_length"] = append(faults["estimated_length"], "This is needed.")
	} else if *asked.Length < 15 || *asked.Length > 120 || *asked.Length%15 != 0 {
		faults["estimated_length"] = append(faults["estimated_length"], "Must be 15, 30 … 120 minutes.")
	}
	ctx := c.Request.Context()
	var owner string
	var accepted bool
	var rate int64
	if asked.Hero == nil {
		faults["hero_id"] = append(faults["hero_id"], "This is needed.")
	} else {
		err := s.postgres.QueryRow(ctx, findHero, *asked.Hero).Scan(&owner, &accepted, &rate)
		if err != nil && err != pgx.ErrNoRows {
			refuse(c, 503, "temporarily_unavailable", "Try again.", nil)
			return
		}
		if err == pgx.ErrNoRows || !accepted {
			faults["hero_id"] = append(faults["hero_id"], "There is no hero with this id.")
		} else if owner == user.id {
			faults["hero_id"] = append(faults["hero_id"], "You can't ask yourself for a call.")
		}
	}
	if len(faults) > 0 {
		refuse(c, 400, "invalid", "Some fields are not right.", faults)
		return
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	trace := fmt.Sprintf("00-%016x%016x-%016x-00", rand.Uint64(), rand.Uint64(), rand.Uint64())
	var id int64
	err := s.postgres.QueryRow(
		ctx, insert, user.id, *asked.Hero, owner, *asked.Text, *asked.Length, rate, now, trace).Scan(&id)
	var failure *pgconn.PgError
	if errors.As(err, &failure) && failure.ConstraintName == "requests_one_open" {
		refuse(c, 409, "conflict", "You have an open call request to this hero already.", nil)
		return
	}
	if err != nil {
		refuse(c, 503, "temporarily_unavailable", "Try again.", nil)
		return
	}
	moment := now.Format(timeForm)
	c.Header("Cache-Control", "no-store")
	c.JSON(200, callRequest{
		ID: id, User: user.id, Hero: *asked.Hero, Message: *asked.Text, EstimatedLength: *asked.Length, Status: "o",
		Times: []suggestion{}, Created: moment, Updated: moment,
	})
}

const find = `
SELECT r.id, r.user_id::text, r.hero_id, r.hero_user_id::text, r.message, r.estimated_length, r.status, r.reason,
    r.agreed_time, r.created, r.updated, s.user_id::text, s.time_one, s.time_two, s.time_three, s.created, u.first_name,
    u.last_name, u.profile_image, u.timezone, u.created
FROM calls.requests r LEFT JOIN calls.suggestions s ON s.request_id = r.id LEFT JOIN calls.users u ON u.id = s.user_id
WHERE r.id = $1 ORDER BY s.number`

func (s *service) show(c *gin.Context) {
	user := c.MustGet("caller").(caller)
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		refuse(c, 404, "not_found", "There is no call request with this id.", nil)
		return
	}
	rows, err := s.postgres.Query(c.Request.Context(), find, id)
	if err != nil {
		refuse(c, 503, "temporarily_unavailable", "Try again.", nil)
		return
	}
	defer rows.Close()
	found := callRequest{Times: []suggestion{}}
	var heroUser string
	for rows.Next() {
		var agreed, one, two, three, made, joined *time.Time
		var created, updated time.Time
		var by, first, last, image, zone *string
		if err := rows.Scan(
			&found.ID, &found.User, &found.Hero, &heroUser, &found.Message, &found.EstimatedLength, &found.Status,
			&found.Reason, &agreed, &created, &updated, &by, &one, &two, &three, &made, &first, &last, &image, &zone,
			&joined); err != nil {
			refuse(c, 500, "internal", "Something went wrong.", nil)
			return
		}
		found.Created, found.Updated = created.UTC().Format(timeForm), updated.UTC().Format(timeForm)
		if agreed != nil {
			text := agreed.UTC().Format(timeForm)
			found.AgreedTime = &text
		}
		if by != nil && first != nil {
			found.Times = append(found.Times, suggestion{
				User: publicUser{*by, *first, *last, image, *zone, joined.UTC().Format(timeForm)},
				One:  one.UTC().Format(timeForm), Two: two.UTC().Format(timeForm), Three: three.UTC().Format(timeForm),
				Timestamp: made.UTC().Format(timeForm),
			})
		}
	}
	if rows.Err() != nil {
		refuse(c, 503, "temporarily_unavailable", "Try again.", nil)
		return
	}
	if found.ID == 0 {
		refuse(c, 404, "not_found", "There is no call request with this id.", nil)
		return
	}
	if user.flags&staff == 0 && user.id != found.User && user.id != heroUser {
		refuse(c, 403, "permission_denied", "Only the two parties of a call request may see it.", nil)
		return
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(200, found)
}

// accessLog writes a line for each request, many at a time.
func accessLog() gin.HandlerFunc {
	var lock sync.Mutex
	out := bufio.NewWriterSize(os.Stderr, 64*1024)
	go func() {
		for range time.Tick(time.Second) {
			lock.Lock()
			out.Flush()
			lock.Unlock()
		}
	}()
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		var line bytes.Buffer
		fmt.Fprintf(&line, `{"time":"%s","level":"info","method":"%s","path":"%s","status":%d,"ms":%.3f}`+"\n",
			start.UTC().Format(timeForm), c.Request.Method, c.FullPath(), c.Writer.Status(),
			float64(time.Since(start).Microseconds())/1000)
		lock.Lock()
		out.Write(line.Bytes())
		lock.Unlock()
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	configuration, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	must(err)
	connections, err := strconv.Atoi(os.Getenv("CONNECTIONS"))
	must(err)
	// Statements are prepared on each connection at their first use, which is pgx's default.
	configuration.MaxConns, configuration.MinConns = int32(connections), int32(connections)
	postgres, err := pgxpool.ConnectConfig(context.Background(), configuration)
	must(err)
	s := &service{
		postgres: postgres, secret: []byte(os.Getenv("SECRET_KEY")), prefix: os.Getenv("TOKEN_PREFIX"),
		redis: &redis.Pool{
			MaxIdle: 64, MaxActive: 64, Wait: true,
			Dial: func() (redis.Conn, error) { return redis.DialURL(os.Getenv("REDIS_URL")) },
		},
	}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(accessLog(), gin.Recovery())
	requests := router.Group("/api/v1/call-requests", s.authenticate)
	requests.POST("", s.create)
	requests.GET("/:id", s.show)
	router.GET("/health/ready", func(c *gin.Context) { c.Status(200) })
	must(router.Run("127.0.0.1:" + os.Getenv("PORT")))
}
