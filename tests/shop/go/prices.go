package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	shop "shop-clients/gen/shop/v1"
)

func (s *Shop) quote(ctx context.Context, id string, quantity uint32) (*shop.Quote, error) {
	return s.nobody.prices.GetQuote(ctx, &shop.GetQuoteRequest{ProductId: id, Quantity: quantity})
}

func nanos(money *shop.Money) int64 {
	equal(money.CurrencyCode, "EUR")
	return money.Units*1_000_000_000 + int64(money.Nanos)
}

func outcomes(quote *shop.Quote) (found string) {
	for _, source := range quote.Sources {
		found += fmt.Sprintln(source.Name, source.Outcome)
	}
	return found
}

// The market of the shop needs 2.5 seconds.
func quote(s *Shop) {
	quote := must(s.quote(ctx, "p-1", 3))
	equal(fmt.Sprintf("%d of %s, %t", quote.Quantity, quote.ProductId, quote.Degraded), "3 of p-1, false")
	equal(nanos(quote.Total), 3*nanos(quote.UnitPrice))
	equal(outcomes(quote), "list OUTCOME_ANSWERED\nmarket OUTCOME_ANSWERED\n")
	isTrue(quote.Sources[1].Latency.AsDuration() >= 2400*time.Millisecond, "%v", quote)
	isTrue(time.Since(quote.PriceTime.AsTime()).Abs() < time.Minute, "%v", quote)
	refused(errorOf(s.quote(ctx, "", 1)), "product_id")
	refused(errorOf(s.quote(ctx, "p-1", 10_001)), "quantity")
	equal(resource(fails(codes.NotFound, errorOf(s.quote(ctx, "p-999999999", 1)))), "product p-999999999")
}

func degradedQuotes(s *Shop) {
	known := must(s.quote(ctx, "p-3", 1))
	for id, at := range map[string]*timestamppb.Timestamp{"p-3": known.PriceTime, "p-4": nil} {
		short, stop := context.WithTimeout(ctx, 2*time.Second)
		started := time.Now()
		quote := must(s.quote(short, id, 0))
		stop()
		// 80 % of the time went to the market.
		isTrue(time.Since(started) > 1400*time.Millisecond, "%v", time.Since(started))
		equal(fmt.Sprintf("%t %d", quote.Degraded, quote.Quantity), "true 1")
		equal(outcomes(quote), "list OUTCOME_ANSWERED\nmarket OUTCOME_TIMED_OUT\n")
		equal(quote.PriceTime, at)
		if at != nil {
			equal(quote.UnitPrice, known.UnitPrice)
		}
		isTrue(nanos(quote.UnitPrice) > 0, "%v", quote)
	}
}
